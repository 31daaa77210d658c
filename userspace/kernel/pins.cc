// SPDX-License-Identifier: Apache-2.0
#include "kernel/pins.h"

#include <bpf/bpf.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <filesystem>
#include <string_view>

#include "kernel/libbpf_log.h"
#include "nsrp/abi/nsrp_abi.h"

namespace nsrp::kernel {
namespace {

namespace fs = std::filesystem;

constexpr const char* kBpffs = "/sys/fs/bpf";

bool on_bpffs(const fs::path& path) {
  struct statfs info {};
  return statfs(path.c_str(), &info) == 0 && info.f_type == BPF_FS_MAGIC;
}

fs::path nearest_existing(fs::path path) {
  std::error_code ignored;
  while (!path.empty() && path != path.root_path() && !fs::exists(path, ignored)) path = path.parent_path();
  return path;
}

bool is_below(const fs::path& path, const fs::path& above) {
  return std::mismatch(above.begin(), above.end(), path.begin(), path.end()).first == above.end();
}

Status ensure_bpffs(const fs::path& root) {
  if (on_bpffs(nearest_existing(root))) return {};
  if (!is_below(root.lexically_normal(), kBpffs))
    return fail(root.string() + " is not on a BPF file system: mount one there, or use a directory below " + kBpffs);
  if (mount("bpf", kBpffs, "bpf", 0, "mode=0700") != 0)
    return fail(std::string("cannot mount a BPF file system at ") + kBpffs + ": " + errno_text(errno));
  return {};
}

// "v1", "v12": a layout's directory; whatever else lies in the root is not ours.
bool is_layout_name(const std::string& name) {
  return name.size() > 1 && name[0] == 'v' &&
         std::all_of(name.begin() + 1, name.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
}

void unlink_all(const fs::path& dir) {
  std::error_code ignored;
  std::vector<fs::path> entries;
  for (const fs::directory_entry& entry : fs::directory_iterator(dir, ignored)) entries.push_back(entry.path());
  for (const fs::path& entry : entries) (void)::unlink(entry.c_str());
}

}  // namespace

Pins::Pins(std::string bpf_dir)
    : root_(fs::path(bpf_dir).lexically_normal().string()), dir_(dir_of(NSRP_ABI_VERSION)) {}

std::string Pins::dir_of(unsigned version) const {
  return (fs::path(root_) / ("v" + std::to_string(version))).string();
}

Status Pins::prepare() const {
  if (Status ready = ensure_bpffs(root_); !ready) return ready;
  std::error_code error;
  fs::create_directories(dir_, error);
  if (error) return fail("cannot create " + dir_ + ": " + error.message());
  return {};
}

void Pins::remove_other_layouts() const {
  std::error_code ignored;
  std::vector<fs::path> others;
  for (const fs::directory_entry& entry : fs::directory_iterator(root_, ignored))
    if (entry.path() != dir_ && is_layout_name(entry.path().filename().string())) others.push_back(entry.path());
  for (const fs::path& other : others) {
    unlink_all(other);
    (void)::rmdir(other.c_str());
  }
}

UniqueFd Pins::open_map(const std::string& name) const {
  return UniqueFd(bpf_obj_get((fs::path(dir_) / name).c_str()));
}

UniqueFd Pins::open_earlier_map(unsigned version, const std::string& name) const {
  return UniqueFd(bpf_obj_get((fs::path(dir_of(version)) / name).c_str()));
}

Status Pins::pin(const std::string& path, int fd) const {
  (void)::unlink(path.c_str());
  if (const int err = bpf_obj_pin(fd, path.c_str()); err != 0)
    return fail("cannot pin " + path + ": " + errno_text(err));
  return {};
}

Status Pins::pin_map(const std::string& name, int fd) const {
  return pin((fs::path(dir_) / name).string(), fd);
}

Status Pins::pin_program(const std::string& name, int fd) const {
  return pin((fs::path(dir_) / ("prog_" + name)).string(), fd);
}

void Pins::clear() const {
  unlink_all(dir_);
}

void Pins::remove() const {
  clear();
  remove_if_empty();
}

void Pins::remove_if_empty() const {
  (void)::rmdir(dir_.c_str());
  (void)::rmdir(root_.c_str());
}

}  // namespace nsrp::kernel
