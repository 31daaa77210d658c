// SPDX-License-Identifier: Apache-2.0
#include "daemon/event_log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/time.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>

namespace nsrp::daemon {

namespace {

const EventKind& kind_of(EventId id) {
  const auto& all = event_catalogue();
  return *std::find_if(all.begin(), all.end(), [id](const EventKind& kind) { return kind.id == id; });
}

spdlog::level::level_enum spdlog_level(Level level) {
  switch (level) {
    case Level::kError:
      return spdlog::level::err;
    case Level::kWarning:
      return spdlog::level::warn;
    default:
      return spdlog::level::info;
  }
}

// journald reads the priority from "<N>" at the start of a line (sd-daemon(3)).
std::string_view journal_prefix(Level level) {
  switch (level) {
    case Level::kError:
      return "<3>";
    case Level::kWarning:
      return "<4>";
    case Level::kNotice:
      return "<5>";
    default:
      return "<6>";
  }
}

std::string wall_clock() {
  timeval now{};
  gettimeofday(&now, nullptr);
  tm local{};
  localtime_r(&now.tv_sec, &local);
  char seconds[32];
  std::strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &local);
  return fmt::format("{}.{:03}", seconds, now.tv_usec / 1000);
}

bool under_journald() {
  static const bool under = std::getenv("JOURNAL_STREAM") != nullptr;
  return under;
}

}  // namespace

const std::vector<EventKind>& event_catalogue() {
  static const std::vector<EventKind> all = {
#define NSRP_X(id, name, level, text) {EventId::k_##name, #name, Level::level, text},
      NSRP_EVENTS(NSRP_X)
#undef NSRP_X
  };
  return all;
}

EventLog::EventLog() {
  auto logger = spdlog::get("nsrpd");
  if (!logger) logger = spdlog::stderr_logger_mt("nsrpd");
  logger->set_pattern(under_journald() ? "%v" : "%Y-%m-%dT%H:%M:%S.%e %^%l%$ %v");
  spdlog::set_default_logger(logger);
}

void EventLog::add(EventId id, const std::string& text) {
  const EventKind& kind = kind_of(id);
  const int number = static_cast<int>(id);
  if (under_journald()) {
    spdlog::log(spdlog_level(kind.level), "{}id={} event={} {}", journal_prefix(kind.level), number, kind.name, text);
  } else {
    spdlog::log(spdlog_level(kind.level), "id={} event={} {}", number, kind.name, text);
  }
  const std::lock_guard lock(mutex_);
  recent_.push_back({wall_clock(), id, text});
  if (recent_.size() > kKept) recent_.pop_front();
}

std::vector<Event> EventLog::recent() const {
  const std::lock_guard lock(mutex_);
  return {recent_.begin(), recent_.end()};
}

std::string quote(std::string_view value) {
  std::string text = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') text += '\\';
    text += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return text + "\"";
}

}  // namespace nsrp::daemon
