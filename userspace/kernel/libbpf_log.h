// SPDX-License-Identifier: Apache-2.0
// What libbpf says while something is done, kept for an error message instead of going to stderr.
//
//   LibbpfLog log;
//   if (int err = skeleton->load(...)) return fail("… : " + log.reason(err));
#pragma once

#include <string>
#include <vector>

namespace nsrp::kernel {

// Collects on the thread that made it, while it lives. Lines outside of any LibbpfLog are dropped.
class LibbpfLog {
 public:
  LibbpfLog();
  ~LibbpfLog();
  LibbpfLog(const LibbpfLog&) = delete;
  LibbpfLog& operator=(const LibbpfLog&) = delete;

  void add(const char* text);
  // The verifier's last line when it refused a program, libbpf's about a map that could not be made, else the text of
  // the (negative) error number.
  std::string reason(int error) const;

 private:
  std::vector<std::string> lines_;
  LibbpfLog* outer_;
};

std::string errno_text(int error);  // of a positive or negative error number

}  // namespace nsrp::kernel
