// SPDX-License-Identifier: Apache-2.0
// The file of `nsrpd --record FILE`: every input of this device's Member and what it answered, as JSON lines that
// tests/golden plays back. For bug reports: what a Member did can be watched again at leisure.
//
// Used on the main thread; the control thread only hands over values. A Member that is made anew (the device left the
// cluster and joined again) gets a file of its own: FILE, FILE.2, FILE.3 …
#pragma once

#include <memory>
#include <string>

#include "golden/recorder.h"
#include "io/fd.h"

namespace nsrp::daemon {

class RecordFile {
 public:
  // Creates the file, so that a path that cannot be written is refused at the start.
  static Result<std::unique_ptr<RecordFile>> create(const std::string& path);

  // An error is told once: recording has ended with it.
  Status begin(const golden::Beginning& beginning);
  Status record(Instant now, const golden::Input& input, const Result<core::Actions>& answer);

 private:
  explicit RecordFile(std::string path) : path_(std::move(path)) {}
  Status open(const std::string& path);
  Status write();

  const std::string path_;
  io::Fd fd_;
  unsigned members_ = 0;
  std::unique_ptr<golden::Recorder> recorder_;
};

}  // namespace nsrp::daemon
