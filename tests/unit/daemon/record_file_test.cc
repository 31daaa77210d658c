// SPDX-License-Identifier: Apache-2.0
#include "daemon/record_file.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include "../test_directory.h"
#include "daemon/files.h"
#include "golden/case.h"

using namespace nsrp;
using namespace nsrp::daemon;

namespace {

// A Member that is told its first two moments, with a recording of them.
void live(RecordFile& file, UnitId unit) {
  const Instant now{seconds(7)};
  golden::Beginning beginning{.description = "test", .settings = {.unit = unit}, .created = now, .boot_epoch = 5};
  beginning.settings.vsds = {{.id = VsdId{0}}};
  core::Member member(beginning.settings, now, beginning.boot_epoch);
  REQUIRE(file.begin(beginning).has_value());
  for (const golden::Input& input : {golden::Input{golden::Start{}}, golden::Input{golden::Time{}}}) {
    REQUIRE(file.record(now, input, golden::apply(member, now, input)).has_value());
  }
}

}  // namespace

TEST_CASE("a recording is a golden case that plays back") {
  const TestDirectory folder;
  const std::string path = folder.path + "/a.jsonl";
  live(**RecordFile::create(path), UnitId{1});
  const Result<golden::Case> recorded = golden::parse_case(read_file(path)->value());
  REQUIRE(recorded.has_value());
  CHECK(recorded->steps.size() == 2);
  CHECK_FALSE(golden::play(*recorded).has_value());
  struct stat status {};
  REQUIRE(stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
}

TEST_CASE("each Member has a file of its own") {
  const TestDirectory folder;
  const std::string path = folder.path + "/a.jsonl";
  const auto file = RecordFile::create(path);
  live(**file, UnitId{1});
  live(**file, UnitId{2});
  CHECK(golden::parse_case(read_file(path)->value())->beginning.settings.unit == UnitId{1});
  CHECK(golden::parse_case(read_file(path + ".2")->value())->beginning.settings.unit == UnitId{2});
}

TEST_CASE("a file that cannot be written is refused at the start") {
  const TestDirectory folder;
  const auto refused = RecordFile::create(folder.path + "/no/such/folder");
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().message.find("/no/such/folder") != std::string::npos);
}
