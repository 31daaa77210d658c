// SPDX-License-Identifier: Apache-2.0
// The control socket RUNDIR/nsrpd.sock, both ends. One request per line, one reply per line, both JSON:
//   → {"words": ["get", "nsrp"], "json": false}      or {"complete": ["set", "ns"]}
//   ← {"exit": 0, "out": "…", "err": ""}
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "io/fd.h"
#include "io/loop.h"

namespace nsrp::io {

class ControlServer {
 public:
  // Answers one request line; runs on the loop's thread. `reply` may be called later, once.
  using Reply = std::function<void(std::string)>;
  using Answer = std::function<void(const std::string& line, Reply reply)>;

  static Result<std::unique_ptr<ControlServer>> listen(Loop& loop, const std::string& path, Answer answer);
  ~ControlServer();

 private:
  struct Client {
    Fd fd;
    std::string in, out;
    Watch readable, writable;
  };
  ControlServer(Loop& loop, std::string path, Fd fd, Answer answer);
  void accept_clients();
  void read_from(uint64_t id);
  void reply_to(uint64_t id, std::string line);
  void write_to(uint64_t id);

  Loop& loop_;
  std::string path_;
  Fd fd_;
  Answer answer_;
  Watch watch_;
  uint64_t next_client_ = 1;
  std::map<uint64_t, Client> clients_;
};

// The client's side: sends one line, waits for one line.
Result<std::string> ask_control_socket(const std::string& path, const std::string& line);

}  // namespace nsrp::io
