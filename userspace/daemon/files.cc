// SPDX-License-Identifier: Apache-2.0
#include "daemon/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace nsrp::daemon {

namespace {

auto error_about(const std::string& what) {
  return fail(what + ": " + std::strerror(errno));
}

Status write_all(int fd, const std::string& text, const std::string& path) {
  for (size_t done = 0; done < text.size();) {
    const ssize_t size = write(fd, text.data() + done, text.size() - done);
    if (size < 0) return error_about("cannot write " + path);
    done += static_cast<size_t>(size);
  }
  if (fsync(fd) < 0) return error_about("cannot sync " + path);
  return {};
}

}  // namespace

Result<std::optional<std::string>> read_file(const std::string& path) {
  const io::Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd && errno == ENOENT) return std::nullopt;
  if (!fd) return error_about("cannot read " + path);
  std::string text;
  std::array<char, 65536> buffer;
  for (;;) {
    const ssize_t size = read(fd.get(), buffer.data(), buffer.size());
    if (size < 0) return error_about("cannot read " + path);
    if (size == 0) return text;
    text.append(buffer.data(), static_cast<size_t>(size));
  }
}

Status replace_file(const std::string& path, const std::string& text) {
  const std::filesystem::path directory = std::filesystem::absolute(path).parent_path();
  if (Status made = make_directory(directory); !made) return made;
  const std::string fresh = path + ".new";
  {
    const io::Fd fd(open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!fd) return error_about("cannot create " + fresh);
    if (Status written = write_all(fd.get(), text, fresh); !written) return written;
  }
  if (std::rename(fresh.c_str(), path.c_str()) < 0) return error_about("cannot replace " + path);
  const io::Fd fd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd) fsync(fd.get());
  return {};
}

Status make_directory(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return fail("cannot create the directory " + path + ": " + error.message());
  return {};
}

Result<io::Fd> lock_run_dir(const std::string& run_dir) {
  const std::string path = run_dir + "/nsrpd.lock";
  io::Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return error_about("cannot open " + path);
  if (flock(fd.get(), LOCK_EX | LOCK_NB) < 0) {
    std::array<char, 32> pid{};
    const ssize_t size = read(fd.get(), pid.data(), pid.size() - 1);
    const std::string holder = size > 1 ? " (pid " + std::string(pid.data(), static_cast<size_t>(size) - 1) + ")" : "";
    return fail("another nsrpd" + holder + " runs with " + run_dir + "; stop it or choose another directory with -r");
  }
  const std::string pid = std::to_string(getpid()) + "\n";
  if (ftruncate(fd.get(), 0) < 0) return error_about("cannot write " + path);
  if (Status written = write_all(fd.get(), pid, path); !written) return fail(written.error());
  return fd;
}

}  // namespace nsrp::daemon
