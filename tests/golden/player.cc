// SPDX-License-Identifier: Apache-2.0
// golden_player FILE…            tells a Member what each file has, and compares its answers
// golden_player --update FILE…   writes today's answers into the files
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>

#include "golden/case.h"

namespace {

using namespace nsrp::golden;

bool write(const char* path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  file.close();
  return file.good();
}

bool good(const char* path, bool update) {
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const nsrp::Result<Case> golden = parse_case(text);
  if (!golden) {
    std::fprintf(stderr, "%s: %s\n", path, golden.error().message.c_str());
    return false;
  }
  if (update) {
    if (write(path, rewrite(*golden))) return true;
    std::fprintf(stderr, "%s: cannot be written\n", path);
    return false;
  }
  const std::optional<Difference> difference = play(*golden);
  if (!difference) {
    std::printf("%s: %zu steps as expected\n", path, golden->steps.size());
    return true;
  }
  std::printf("%s:%zu: %s\n  expected %s\n  answered %s\n", path, difference->line,
              golden->beginning.description.c_str(), difference->expected.c_str(), difference->actual.c_str());
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  const bool update = argc > 1 && std::strcmp(argv[1], "--update") == 0;
  const int first = update ? 2 : 1;
  if (first >= argc) {
    std::fprintf(stderr, "usage: golden_player [--update] FILE…\n");
    return 2;
  }
  bool all = true;
  for (int i = first; i < argc; ++i) all &= good(argv[i], update);
  return all ? 0 : 1;
}
