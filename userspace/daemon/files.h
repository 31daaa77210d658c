// SPDX-License-Identifier: Apache-2.0
// The daemon's files: the configuration, replaced atomically, and the lock that keeps a second daemon out.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "io/fd.h"

namespace nsrp::daemon {

// nullopt: there is no such file.
Result<std::optional<std::string>> read_file(const std::string& path);

// Writes beside the file, syncs, renames: a crash leaves the old file or the new one.
Status replace_file(const std::string& path, const std::string& text);

Status make_directory(const std::string& path);

// Held for the life of the daemon; fails with the holder's pid.
Result<io::Fd> lock_run_dir(const std::string& run_dir);

}  // namespace nsrp::daemon
