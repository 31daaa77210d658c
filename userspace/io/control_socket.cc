// SPDX-License-Identifier: Apache-2.0
#include "io/control_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace nsrp::io {

namespace {

constexpr size_t kLongestRequest = 1 << 20;

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return fail("the path of the control socket is too long: " + path);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

}  // namespace

Result<std::unique_ptr<ControlServer>> ControlServer::listen(Loop& loop, const std::string& path, Answer answer) {
  const Result<sockaddr_un> address = address_of(path);
  if (!address) return fail(address.error());
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  unlink(path.c_str());  // left by a daemon that was killed; the lock file keeps a living one out
  if (!fd || bind(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) < 0 ||
      chmod(path.c_str(), 0600) < 0 || ::listen(fd.get(), 16) < 0) {
    return fail("cannot listen on " + path + ": " + std::strerror(errno));
  }
  return std::unique_ptr<ControlServer>(new ControlServer(loop, path, std::move(fd), std::move(answer)));
}

ControlServer::ControlServer(Loop& loop, std::string path, Fd fd, Answer answer)
    : loop_(loop), path_(std::move(path)), fd_(std::move(fd)), answer_(std::move(answer)) {
  watch_ = loop_.watch(fd_.get(), Loop::kReadable, [this] { accept_clients(); });
}

ControlServer::~ControlServer() {
  unlink(path_.c_str());
}

void ControlServer::accept_clients() {
  for (;;) {
    Fd fd(accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) return;
    const uint64_t id = next_client_++;
    Client& client = clients_[id];
    client.fd = std::move(fd);
    client.readable = loop_.watch(client.fd.get(), Loop::kReadable, [this, id] { read_from(id); });
  }
}

void ControlServer::read_from(uint64_t id) {
  Client& client = clients_.at(id);
  std::array<char, 4096> buffer;
  const ssize_t size = recv(client.fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0 || client.in.size() > kLongestRequest) {
    clients_.erase(id);
    return;
  }
  client.in.append(buffer.data(), static_cast<size_t>(size));
  for (size_t end; clients_.contains(id) && (end = client.in.find('\n')) != std::string::npos;) {
    const std::string line = client.in.substr(0, end);
    client.in.erase(0, end + 1);
    answer_(line, [this, id](std::string reply) { reply_to(id, std::move(reply)); });
  }
}

void ControlServer::reply_to(uint64_t id, std::string line) {
  const auto client = clients_.find(id);
  if (client == clients_.end()) return;  // gone before its answer
  client->second.out += std::move(line) + "\n";
  write_to(id);
}

void ControlServer::write_to(uint64_t id) {
  Client& client = clients_.at(id);
  while (!client.out.empty()) {
    const ssize_t size = ::send(client.fd.get(), client.out.data(), client.out.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size < 0 && errno == EAGAIN) {
      client.writable = loop_.watch(client.fd.get(), Loop::kWritable, [this, id] { write_to(id); });
      return;
    }
    if (size <= 0) break;  // the reader sees the end and removes the client
    client.out.erase(0, static_cast<size_t>(size));
  }
  client.writable = Watch();
}

Result<std::string> ask_control_socket(const std::string& path, const std::string& line) {
  const Result<sockaddr_un> address = address_of(path);
  if (!address) return fail(address.error());
  const Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd || connect(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) < 0) {
    return fail("no nsrpd answers at " + path + ": " + std::strerror(errno));
  }
  std::string out = line + "\n";
  while (!out.empty()) {
    const ssize_t size = ::send(fd.get(), out.data(), out.size(), MSG_NOSIGNAL);
    if (size <= 0) return fail("nsrpd closed the connection at " + path);
    out.erase(0, static_cast<size_t>(size));
  }
  std::string in;
  std::array<char, 65536> buffer;
  while (in.empty() || in.back() != '\n') {
    const ssize_t size = recv(fd.get(), buffer.data(), buffer.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return fail("nsrpd closed the connection at " + path + " without an answer");
    in.append(buffer.data(), static_cast<size_t>(size));
  }
  in.pop_back();
  return in;
}

}  // namespace nsrp::io
