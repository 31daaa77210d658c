// SPDX-License-Identifier: Apache-2.0
#include "io/control_socket.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <thread>

#include "../test_directory.h"

using namespace nsrp;
using namespace nsrp::io;

TEST_CASE("each request line gets its answer, however long it is and however late it comes") {
  const TestDirectory directory;
  const std::string path = directory.path + "/s";
  auto loop = Loop::create();
  REQUIRE(loop.has_value());
  auto server = ControlServer::listen(**loop, path, [&](const std::string& line, ControlServer::Reply reply) {
    (*loop)->post([line, reply] { reply("<" + line + ">"); });
  });
  REQUIRE(server.has_value());
  std::thread client([&] {
    const std::string long_line(300000, 'x');
    const Result<std::string> first = ask_control_socket(path, "hello");
    const Result<std::string> second = ask_control_socket(path, long_line);
    CHECK((first && *first == "<hello>"));
    CHECK((second && second->size() == long_line.size() + 2));
    (*loop)->stop();
  });
  (*loop)->run();
  client.join();
}

TEST_CASE("without a daemon the client says where it looked") {
  const TestDirectory directory;
  const Result<std::string> answer = ask_control_socket(directory.path + "/none", "x");
  REQUIRE(!answer);
  CHECK(answer.error().message.find(directory.path + "/none") != std::string::npos);
}

TEST_CASE("a socket left by a daemon that was killed is taken over") {
  const TestDirectory directory;
  const std::string path = directory.path + "/s";
  auto loop = Loop::create();
  REQUIRE(loop.has_value());
  const auto ignore = [](const std::string&, const ControlServer::Reply&) {};
  { std::filesystem::create_symlink("/nowhere", path); }
  auto server = ControlServer::listen(**loop, path, ignore);
  CHECK(server.has_value());
}
