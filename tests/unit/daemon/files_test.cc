// SPDX-License-Identifier: Apache-2.0
#include "daemon/files.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>

#include "../test_directory.h"
#include "daemon/event_log.h"

using namespace nsrp;
using namespace nsrp::daemon;

TEST_CASE("a file that is not there is not an error; one that cannot be read is") {
  const TestDirectory directory;
  const auto missing = read_file(directory.path + "/none");
  REQUIRE(missing.has_value());
  CHECK(!missing->has_value());
  const auto unreadable = read_file(directory.path);  // a directory
  REQUIRE(!unreadable);
  CHECK(unreadable.error().message.find(directory.path) != std::string::npos);
}

TEST_CASE("a file is replaced as a whole, and its folder is made") {
  const TestDirectory directory;
  const std::string path = directory.path + "/new/folder/nsrp.conf";
  REQUIRE(replace_file(path, "one\n"));
  REQUIRE(replace_file(path, "two\n"));
  const auto text = read_file(path);
  REQUIRE((text && text->has_value()));
  CHECK(**text == "two\n");
  CHECK(!std::filesystem::exists(path + ".new"));
}

TEST_CASE("a second daemon on the same run directory is refused with the pid of the first") {
  const TestDirectory directory;
  const auto first = lock_run_dir(directory.path);
  REQUIRE(first.has_value());
  const auto second = lock_run_dir(directory.path);
  REQUIRE(!second);
  CHECK(second.error().message.find("pid " + std::to_string(getpid())) != std::string::npos);
}

TEST_CASE("a text in an event stays on its line and inside its quotes") {
  CHECK(quote("plain") == "\"plain\"");
  CHECK(quote("a\nb \"c\" \\") == "\"a b \\\"c\\\" \\\\\"");
}

TEST_CASE("event ids are unique") {
  std::vector<int> ids;
  for (const EventKind& kind : event_catalogue()) ids.push_back(static_cast<int>(kind.id));
  std::sort(ids.begin(), ids.end());
  CHECK(std::adjacent_find(ids.begin(), ids.end()) == ids.end());
}

TEST_CASE("the operator's guide explains every event in the catalogue's words") {
  const auto guide = read_file(NSRP_SOURCE_DIR "/docs/operations.md");
  REQUIRE((guide && guide->has_value()));
  for (const EventKind& kind : event_catalogue()) {
    const std::string row = "| " + std::to_string(static_cast<int>(kind.id)) + " | " + std::string(kind.name) + " | " +
                            std::string(kind.meaning) + " |";
    CHECK_MESSAGE((*guide)->find(row) != std::string::npos, row);
  }
}
