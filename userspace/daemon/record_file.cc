// SPDX-License-Identifier: Apache-2.0
#include "daemon/record_file.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>

namespace nsrp::daemon {

Result<std::unique_ptr<RecordFile>> RecordFile::create(const std::string& path) {
  std::unique_ptr<RecordFile> file(new RecordFile(path));
  if (Status opened = file->open(path); !opened) return fail(opened.error());
  return file;
}

Status RecordFile::open(const std::string& path) {
  fd_ = io::Fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd_) return fail("cannot record to " + path + ": " + std::strerror(errno));
  return {};
}

Status RecordFile::begin(const golden::Beginning& beginning) {
  if (!fd_) return {};
  if (++members_ > 1) {
    if (Status opened = open(path_ + "." + std::to_string(members_)); !opened) return opened;
  }
  recorder_ = std::make_unique<golden::Recorder>(beginning);
  return write();
}

Status RecordFile::record(Instant now, const golden::Input& input, const Result<core::Actions>& answer) {
  if (!fd_ || !recorder_) return {};
  recorder_->record(now, input, answer);
  return write();
}

Status RecordFile::write() {
  const std::string lines = recorder_->take_lines();
  for (size_t done = 0; done < lines.size();) {
    const ssize_t size = ::write(fd_.get(), lines.data() + done, lines.size() - done);
    if (size < 0) {
      const std::string cause = std::strerror(errno);
      fd_.reset();
      return fail("cannot record any further: " + cause);
    }
    done += static_cast<size_t>(size);
  }
  return {};
}

}  // namespace nsrp::daemon
