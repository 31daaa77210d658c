// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cstdio>

#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

constexpr int kSkipped = 77;  // SKIP_RETURN_CODE in CMakeLists.txt

int main(int argc, char** argv) {
  if (::geteuid() != 0) {
    std::puts("skipped: network namespaces need root");
    return kSkipped;
  }
  return doctest::Context(argc, argv).run();
}
