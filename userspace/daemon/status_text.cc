// SPDX-License-Identifier: Apache-2.0
// The reports as text. They are made from the JSON, so the two can never say different things.
#include <sstream>
#include <utility>

#include "daemon/status.h"

namespace nsrp::daemon {

namespace {

constexpr size_t kColumns = 100;

std::string text_of(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string yes_no(const Json& value) {
  return value.get<bool>() ? "yes" : "no";
}

std::string on_off(const Json& value) {
  return value.get<bool>() ? "enabled" : "disabled";
}

void pad(std::ostream& out, const std::string& text, size_t width) {
  out << text << std::string(text.size() < width ? width - text.size() : 1, ' ');
}

std::string protection_words(const std::string& protection) {
  return protection == "none"        ? "neither authenticated nor encrypted"
         : protection == "encrypted" ? "authenticated and encrypted"
                                     : "authenticated";
}

std::string milliseconds_text(const Json& microseconds) {
  const auto tenths = (microseconds.get<int64_t>() + 50) / 100;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " ms";
}

std::string heard(const Json& of) {
  std::ostringstream out;
  if (of.at("last_heard_ms") < 0) return "not heard yet";
  out << "heard " << of.at("last_heard_ms") << " ms ago, jitter " << milliseconds_text(of.at("jitter_us"))
      << ", heartbeats " << of.at("heartbeats") << ", missed " << of.at("missed");
  return out.str();
}

std::string direction(const Json& link, int64_t limit_ms) {
  if (link.at("both_ways").get<bool>()) return "both ways,";
  return link.at("last_heard_ms").get<int64_t>() > limit_ms ? "silent," : "one way,";
}

// A secondary path that nobody needs is silent, and not broken.
std::string state_word(const Json& link) {
  if (link.at("up").get<bool>()) return "up";
  return text_of(link.at("cause")).starts_with("standing by") ? "standby" : "down";
}

void link_text(std::ostream& out, const Json& link) {
  out << state_word(link) << ", carrier " << yes_no(link.at("carrier")) << ", " << link.at("speed_mbps")
      << " Mbit/s, xdp " << text_of(link.at("xdp")) << "\n  " << text_of(link.at("cause")) << "\n";
  if (link.at("probes_sent") == 0) return;
  out << "  probes sent " << link.at("probes_sent") << ", answered " << link.at("probes_answered")
      << ", unanswered in a row " << link.at("probes_unanswered") << "\n";
}

void drops_text(std::ostream& out, const Json& drops) {
  std::string separator = "frames dropped: ";
  for (const auto& [cause, count] : drops.items()) {
    if (count == 0) continue;
    out << std::exchange(separator, ", ") << cause << " " << count;
  }
  out << (separator == ", " ? "\n" : "frames dropped: none\n");
}

std::string defer_text(const Json& group) {
  const Json& packets = group.at("deferred");
  std::ostringstream out;
  out << "defer " << group.at("defer_ms") << " ms: acknowledged " << packets.at("acknowledged") << ", behind these "
      << packets.at("behind") << ", not in time " << packets.at("bound_passed") << ", peer gone "
      << packets.at("no_peer") << ", handed over " << packets.at("handed_over") << ", no room " << packets.at("no_room")
      << ", not sent " << packets.at("unsent") << "\n";
  return out.str();
}

// Lines that are too wide go on, further in, on the next one.
std::string folded(const std::string& text) {
  std::istringstream in(text);
  std::string result;
  for (std::string line; std::getline(in, line);) {
    const std::string indent(line.find_first_not_of(' ') == std::string::npos ? 0 : line.find_first_not_of(' ') + 4,
                             ' ');
    while (line.size() > kColumns) {
      const size_t blank = line.rfind(' ', kColumns);
      if (blank == std::string::npos || blank < indent.size()) break;
      result += line.substr(0, blank) + "\n";
      line = indent + line.substr(blank + 1);
    }
    result += line + "\n";
  }
  return result;
}

}  // namespace

std::string cluster_text(const Json& nsrp) {
  std::ostringstream out;
  const Json& cluster = nsrp.at("cluster");
  if (cluster.at("id") == 0) {
    out << "nsrp: not enabled (cluster id 0)\n";
    return out.str();
  }
  out << "cluster id: " << cluster.at("id") << ", name: " << text_of(cluster.at("name")) << "\n"
      << "local unit id: " << text_of(nsrp.at("unit_id")) << ", hostname: " << text_of(nsrp.at("hostname"))
      << ", HA LED: " << text_of(nsrp.at("led")) << "\n"
      << "messages between members: " << protection_words(text_of(nsrp.at("protection"))) << "\n";
  if (!nsrp.at("key_change").is_null()) {
    out << "passwords are being changed; not on the newest yet:";
    for (const Json& unit : nsrp.at("key_change").at("waits_for")) out << " " << text_of(unit);
    out << "\n";
  }
  const int64_t limit_ms = nsrp.at("hb_interval_ms").get<int64_t>() * nsrp.at("hb_threshold").get<int64_t>();
  for (const Json& peer : nsrp.at("peers")) {
    out << "peer unit id: " << text_of(peer.at("unit_id")) << ", " << (peer.at("alive").get<bool>() ? "alive" : "lost")
        << ", " << heard(peer) << "\n";
    for (const Json& link : peer.at("links")) {
      out << "  on ";
      pad(out, text_of(link.at("ifname")), 10);
      pad(out, direction(link, limit_ms), 11);
      out << heard(link) << "\n";
    }
  }
  for (const Json& problem : nsrp.at("problems")) {
    out << "problem: " << text_of(problem.at("text")) << "\n  " << problem.at("frames") << " frames dropped ("
        << text_of(problem.at("cause")) << "), the last " << problem.at("last_ms") << " ms ago\n";
  }
  if (!nsrp.at("config_in_sync").is_null()) {
    out << "configuration: " << (nsrp.at("config_in_sync").get<bool>() ? "in sync" : "out of sync")
        << " with the peer\n";
  }
  return folded(out.str());
}

std::string vsd_groups_text(const Json& groups) {
  std::ostringstream out;
  for (const Json& group : groups) {
    out << "vsd group " << group.at("id") << ": " << text_of(group.at("state")) << ", priority " << group.at("priority")
        << ", preempt " << on_off(group.at("preempt")) << ", hold-down " << group.at("hold_down_s") << " s, term "
        << group.at("term") << "\n  since " << group.at("since_ms").get<int64_t>() / 1000
        << " s: " << text_of(group.at("cause")) << "\n";
    if (group.at("equal_priority").get<bool>()) out << "  equal priority: the highest unit id wins\n";
    if (group.at("defer_ms") != 0) out << "  " << defer_text(group);
    for (const Json& member : group.at("members")) {
      out << "  ";
      pad(out, text_of(member.at("unit_id")), 14);
      pad(out, member.at("local").get<bool>() ? "local" : "peer", 7);
      pad(out, text_of(member.at("state")), 16);
      out << "priority " << member.at("priority") << (member.at("alive").get<bool>() ? "" : "  (not heard)") << "\n";
    }
  }
  return folded(out.str());
}

std::string ha_links_text(const Json& nsrp) {
  std::ostringstream out;
  for (const Json& link : nsrp.at("ha_links")) {
    out << (link.at("zone_ha").get<bool>() ? "ha link " : "control interface ");
    pad(out, text_of(link.at("ifname")), 10);
    pad(out, text_of(link.at("role")), 14);
    link_text(out, link);
  }
  out << "secondary path: ";
  if (nsrp.contains("secondary_path_link")) {
    out << text_of(nsrp.at("secondary_path")) << " ";
    link_text(out, nsrp.at("secondary_path_link"));
  } else {
    out << "none\n";
  }
  out << "ha link probe: ";
  if (nsrp.contains("ha_link_probe")) {
    const Json& probe = nsrp.at("ha_link_probe");
    out << "every " << probe.at("interval_s") << " s, down after " << probe.at("threshold") << " unanswered\n";
  } else {
    out << "none\n";
  }
  const Json& frames = nsrp.at("frames");
  out << "frames sent " << frames.at("sent") << " (errors " << frames.at("send_errors") << "), received "
      << frames.at("received") << "\n";
  drops_text(out, frames.at("dropped"));
  out << "worst lateness of the heartbeat timer: " << frames.at("worst_timer_lateness_us") << " us\n";
  return folded(out.str());
}

std::string rto_mirror_text(const Json& mirror) {
  std::ostringstream out;
  out << "rto mirror: sync " << on_off(mirror.at("sync")) << ", state " << text_of(mirror.at("state")) << ", in sync "
      << yes_no(mirror.at("in_sync")) << ", sessions " << mirror.at("sessions") << "\n  peer "
      << (text_of(mirror.at("peer")).empty() ? "none" : text_of(mirror.at("peer"))) << ", sent " << mirror.at("sent")
      << ", received " << mirror.at("received") << ", ended " << mirror.at("ended") << ", pending "
      << mirror.at("pending") << ", cold sync " << mirror.at("cold_sync_received") << " of "
      << mirror.at("cold_sync_total") << "\n  heartbeat interval " << mirror.at("hb_interval_s")
      << " s, lost threshold " << mirror.at("hb_threshold") << ", session "
      << on_off(!mirror.at("session_off").get<bool>()) << ", clear-on-inactive "
      << on_off(mirror.at("clear_on_inactive")) << "\n";
  if (mirror.at("missing") != 0) {
    out << "  degraded: at least " << mirror.at("missing") << " sessions of the peer are missing here\n";
  }
  if (mirror.at("not_installable") != 0) {
    out << "  " << mirror.at("not_installable")
        << " sessions of the peer clash with others here and cannot be installed\n";
  }
  out << "  not installed " << mirror.at("failed") << ", refused " << mirror.at("refused") << ", unsendable "
      << mirror.at("unsendable") << "\n";
  for (const Json& each : mirror.at("classes")) {
    out << "  " << text_of(each.at("name")) << ": " << each.at("objects") << " here, " << each.at("held_for_peer")
        << " held for the peer, in sync " << yes_no(each.at("in_sync")) << ", sent " << each.at("sent") << ", received "
        << each.at("received") << ", ended " << each.at("ended") << ", refused " << each.at("refused") << "\n";
  }
  return folded(out.str());
}

std::string rto_audit_text(const Json& audit) {
  std::ostringstream out;
  const auto direction = [&](const char* whose, const Json& found) {
    out << whose << ": rounds " << found.at("rounds") << ", buckets compared " << found.at("compared") << ", differing "
        << found.at("differing") << ", repaired " << found.at("repaired") << ", oldest unaudited bucket ";
    const Json& age = found.at("oldest_unaudited_ms");
    if (age.is_null()) {
      out << "none\n";
    } else {
      out << age.get<int64_t>() / 1000 << " s\n";
    }
  };
  direction("sessions of the peer, held here", audit.at("held_for_peer"));
  direction("sessions of this device, held by the peer", audit.at("at_peer"));
  return folded(out.str());
}

std::string monitor_text(const Json& monitor) {
  std::ostringstream out;
  const Json& device = monitor.at("device");
  out << "device monitor: sum " << device.at("sum") << ", failover threshold " << device.at("threshold") << "\n";
  for (const Json& object : device.at("objects")) {
    out << "  interface " << text_of(object.at("interface")) << ", weight " << object.at("weight") << ", "
        << (object.at("up").get<bool>() ? "up" : "down") << "\n";
  }
  return out.str();
}

std::string transparent_text(const Json& transparent) {
  if (transparent.is_null()) return "";
  std::string text =
      "transparent device " + text_of(transparent.at("bridge")) + ", " + text_of(transparent.at("state")) + ", ports:";
  for (const Json& port : transparent.at("ports")) text += " " + text_of(port);
  return text + "\n\n";
}

std::string nsrp_text(const Json& nsrp) {
  std::ostringstream out;
  out << cluster_text(nsrp);
  if (nsrp.at("cluster").at("id") == 0) return out.str();
  out << "heartbeat interval " << nsrp.at("hb_interval_ms") << " ms, lost threshold " << nsrp.at("hb_threshold")
      << ", init hold " << nsrp.at("init_hold") << ", gratuitous arp " << nsrp.at("arp") << "\nmaster always exist "
      << yes_no(nsrp.at("master_always_exist")) << ", data forwarding " << on_off(nsrp.at("data_forwarding"))
      << ", fast path " << on_off(nsrp.at("fast_path").at("udp")) << "\n\n"
      << transparent_text(nsrp.at("transparent")) << vsd_groups_text(nsrp.at("vsd_groups")) << "\n"
      << ha_links_text(nsrp) << "\n"
      << rto_mirror_text(nsrp.at("rto_mirror")) << monitor_text(nsrp.at("monitor"));
  return out.str();
}

std::string interfaces_text(const Json& interfaces) {
  std::ostringstream out;
  for (const Json& interface : interfaces) {
    pad(out, text_of(interface.at("name")), 12);
    out << "zone " << (text_of(interface.at("zone")).empty() ? "null" : text_of(interface.at("zone"))) << ", "
        << (!interface.at("present").get<bool>()  ? "missing"
            : interface.at("carrier").get<bool>() ? "up"
                                                  : "down")
        << ", mac " << text_of(interface.at("mac")) << ", xdp " << text_of(interface.at("xdp")) << "\n";
    if (interface.contains("port")) {
      const Json& port = interface.at("port");
      out << "    port of " << text_of(port.at("of")) << ", " << text_of(port.at("state")) << "\n";
    }
    for (const Json& manage : interface.at("manage_ip")) out << "    manage ip " << text_of(manage) << "\n";
    for (const Json& vsi : interface.at("vsis")) {
      out << "    vsi ";
      pad(out, text_of(vsi.at("name")), 12);
      out << "vsd " << vsi.at("vsd") << ", " << text_of(vsi.at("state")) << ", mac " << text_of(vsi.at("mac"))
          << ", vid " << vsi.at("vid");
      for (const Json& address : vsi.at("addresses")) out << ", " << text_of(address);
      out << "\n";
    }
    if (interface.contains("addresses")) {
      for (const Json& address : interface.at("addresses")) out << "    local " << text_of(address) << "\n";
    }
  }
  return out.str();
}

}  // namespace nsrp::daemon
