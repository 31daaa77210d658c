// SPDX-License-Identifier: Apache-2.0
// A directory of a test's own, gone when the test ends.
#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace nsrp {

struct TestDirectory {
  TestDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "nsrp-test-").string() + std::string(6, 'X');
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    path = pattern;
  }
  ~TestDirectory() { std::filesystem::remove_all(path); }
  TestDirectory(const TestDirectory&) = delete;
  TestDirectory& operator=(const TestDirectory&) = delete;

  std::string path;
};

}  // namespace nsrp
