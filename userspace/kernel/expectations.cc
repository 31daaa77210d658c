// SPDX-License-Identifier: Apache-2.0
#include "kernel/expectations.h"

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_compat.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "kernel/ctnetlink.h"

namespace nsrp::kernel {
namespace {

using ctnetlink::Attributes;
using ctnetlink::nested;
using ctnetlink::read_be32;

std::string read_name(const nlattr* attribute) {
  if (attribute == nullptr) return {};
  const auto* text = static_cast<const char*>(mnl_attr_get_payload(attribute));
  return {text, ::strnlen(text, mnl_attr_get_payload_len(attribute))};
}

rto::SequenceShift read_shift(const nlattr* attribute) {
  const Attributes parts = nested(attribute);
  return {read_be32(parts[CTA_SEQADJ_CORRECTION_POS]), read_be32(parts[CTA_SEQADJ_OFFSET_BEFORE]),
          read_be32(parts[CTA_SEQADJ_OFFSET_AFTER])};
}

void write_shift(nlmsghdr* message, uint16_t type, const rto::SequenceShift& shift) {
  if (shift == rto::SequenceShift{}) return;
  nlattr* whole = mnl_attr_nest_start(message, type);
  mnl_attr_put_u32(message, CTA_SEQADJ_CORRECTION_POS, htonl(shift.position));
  mnl_attr_put_u32(message, CTA_SEQADJ_OFFSET_BEFORE, htonl(shift.before));
  mnl_attr_put_u32(message, CTA_SEQADJ_OFFSET_AFTER, htonl(shift.after));
  mnl_attr_nest_end(message, whole);
}

void write_shifts(nlmsghdr* message, const FlowHelper& helper) {
  write_shift(message, CTA_SEQ_ADJ_ORIG, helper.shifts[0]);
  write_shift(message, CTA_SEQ_ADJ_REPLY, helper.shifts[1]);
}

std::optional<FlowHelper> parse_helper(const nlmsghdr* message) {
  const Attributes attributes = ctnetlink::attributes_of(message);
  FlowHelper helper;
  helper.name = read_name(nested(attributes[CTA_HELP])[CTA_HELP_NAME]);
  if (helper.name.empty() || !ctnetlink::read_tuple(attributes[CTA_TUPLE_ORIG], helper.flow)) return std::nullopt;
  helper.shifts = {read_shift(attributes[CTA_SEQ_ADJ_ORIG]), read_shift(attributes[CTA_SEQ_ADJ_REPLY])};
  return helper;
}

uint16_t zone_of(const Attributes& attributes) {
  const nlattr* zone = attributes[CTA_EXPECT_ZONE];
  return zone != nullptr ? ntohs(mnl_attr_get_u16(zone)) : uint16_t{0};
}

std::optional<Expectation> parse_expectation(const nlmsghdr* message) {
  const Attributes attributes = ctnetlink::attributes_of(message);
  Expectation expectation;
  if (!ctnetlink::read_tuple(attributes[CTA_EXPECT_TUPLE], expectation.tuple) ||
      !ctnetlink::read_tuple(attributes[CTA_EXPECT_MASK], expectation.mask) ||
      !ctnetlink::read_tuple(attributes[CTA_EXPECT_MASTER], expectation.master))
    return std::nullopt;
  expectation.tuple.zone = expectation.master.zone = zone_of(attributes);
  expectation.helper = read_name(attributes[CTA_EXPECT_HELP_NAME]);
  expectation.function = read_name(attributes[CTA_EXPECT_FN]);
  expectation.flags = read_be32(attributes[CTA_EXPECT_FLAGS]);
  expectation.helper_class = read_be32(attributes[CTA_EXPECT_CLASS]);
  const Attributes nat = nested(attributes[CTA_EXPECT_NAT]);
  Expectation::Translation translation{read_be32(nat[CTA_EXPECT_NAT_DIR]), {}};
  if (ctnetlink::read_tuple(nat[CTA_EXPECT_NAT_TUPLE], translation.to) && translation.direction <= 1)
    expectation.translation = translation;
  return expectation;
}

void write_zone(nlmsghdr* message, const Expectation& expectation) {
  if (expectation.tuple.zone != 0) mnl_attr_put_u16(message, CTA_EXPECT_ZONE, htons(expectation.tuple.zone));
}

void write_expectation(nlmsghdr* message, const Expectation& expectation) {
  ctnetlink::write_header(message, NFNL_SUBSYS_CTNETLINK_EXP, IPCTNL_MSG_EXP_NEW, NLM_F_CREATE | NLM_F_EXCL,
                          expectation.tuple.family);
  ctnetlink::write_tuple(message, CTA_EXPECT_TUPLE, expectation.tuple);
  ctnetlink::write_tuple(message, CTA_EXPECT_MASK, expectation.mask);
  ctnetlink::write_tuple(message, CTA_EXPECT_MASTER, expectation.master);
  write_zone(message, expectation);
  // The kernel's default where the helper gives none; it gives one where it is known.
  constexpr uint32_t kTimeoutSeconds = 300;
  mnl_attr_put_u32(message, CTA_EXPECT_TIMEOUT, htonl(kTimeoutSeconds));
  mnl_attr_put_u32(message, CTA_EXPECT_FLAGS, htonl(expectation.flags));
  mnl_attr_put_u32(message, CTA_EXPECT_CLASS, htonl(expectation.helper_class));
  if (!expectation.helper.empty()) mnl_attr_put_strz(message, CTA_EXPECT_HELP_NAME, expectation.helper.c_str());
  if (!expectation.function.empty()) mnl_attr_put_strz(message, CTA_EXPECT_FN, expectation.function.c_str());
  if (expectation.translation) {
    nlattr* nat = mnl_attr_nest_start(message, CTA_EXPECT_NAT);
    mnl_attr_put_u32(message, CTA_EXPECT_NAT_DIR, htonl(expectation.translation->direction));
    ctnetlink::write_tuple(message, CTA_EXPECT_NAT_TUPLE, expectation.translation->to);
    mnl_attr_nest_end(message, nat);
  }
}

Result<UniqueFd> listen() {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = NF_NETLINK_CONNTRACK_EXP_NEW | NF_NETLINK_CONNTRACK_EXP_DESTROY;
  if (!fd.valid() || ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return fail(std::string("cannot listen for expectations of conntrack: ") + std::strerror(errno));
  return fd;
}

Error refused(const std::string& what, int error) {
  return Error{"conntrack refused " + what + ": " + std::strerror(error)};
}

}  // namespace

struct Expectations::Impl {
  explicit Impl(ctnetlink::Channel requests) : channel(std::move(requests)) {}
  ctnetlink::Channel channel;
  UniqueFd events;

  // 0, or an errno.
  Result<int> ask(const std::function<void(nlmsghdr*)>& write, const ctnetlink::Channel::Answer& answer = nullptr) {
    const auto verdicts = channel.run(
        1, [&](nlmsghdr* message, size_t) { write(message); }, answer);
    if (!verdicts) return fail(verdicts.error());
    return verdicts->front();
  }
  Status replace(const ctnetlink::Entry& entry, const FlowHelper& helper);
};

Expectations::Expectations() = default;
Expectations::~Expectations() = default;

Result<std::unique_ptr<Expectations>> Expectations::open() {
  auto channel = ctnetlink::Channel::open();
  if (!channel) return fail(channel.error());
  auto events = listen();
  if (!events) return fail(events.error());
  std::unique_ptr<Expectations> self(new Expectations);
  self->impl_ = std::make_unique<Impl>(std::move(*channel));
  self->impl_->events = std::move(*events);
  return self;
}

Result<std::vector<Expectation>> Expectations::all() {
  std::vector<Expectation> all;
  const auto write = [](nlmsghdr* message) {
    ctnetlink::write_header(message, NFNL_SUBSYS_CTNETLINK_EXP, IPCTNL_MSG_EXP_GET, NLM_F_DUMP, 0);
  };
  const auto error = impl_->ask(write, [&](const nlmsghdr* message, size_t) {
    if (const auto expectation = parse_expectation(message)) all.push_back(*expectation);
  });
  if (!error) return fail(error.error());
  if (*error != 0) return fail(refused("to list expectations", *error));
  return all;
}

int Expectations::events_fd() const {
  return impl_->events.get();
}

void Expectations::consume_events() {
  char buffer[1 << 13];
  while (::recv(impl_->events.get(), buffer, sizeof buffer, 0) >= 0 || errno == EINTR || errno == ENOBUFS) {
  }
}

Status Expectations::install(const Expectation& expectation) {
  const auto error = impl_->ask([&](nlmsghdr* message) { write_expectation(message, expectation); });
  if (!error) return fail(error.error());
  // Busy: the same flow is expected already.
  if (*error != 0 && *error != EEXIST && *error != EBUSY) return fail(refused("an expectation", *error));
  return {};
}

Status Expectations::remove(const Expectation& expectation) {
  const auto error = impl_->ask([&](nlmsghdr* message) {
    ctnetlink::write_header(message, NFNL_SUBSYS_CTNETLINK_EXP, IPCTNL_MSG_EXP_DELETE, 0, expectation.tuple.family);
    ctnetlink::write_tuple(message, CTA_EXPECT_TUPLE, expectation.tuple);
    write_zone(message, expectation);
  });
  if (!error) return fail(error.error());
  if (*error != 0 && *error != ENOENT) return fail(refused("to forget an expectation", *error));
  return {};
}

Result<std::vector<std::optional<FlowHelper>>> Expectations::helpers_of(std::span<const nsrp_tuple> flows) {
  std::vector<std::optional<FlowHelper>> helpers(flows.size());
  const auto verdicts = impl_->channel.run(
      flows.size(), [&](nlmsghdr* message, size_t i) { ctnetlink::write_get(message, flows[i]); },
      [&](const nlmsghdr* message, size_t i) {
        const auto entry = ctnetlink::parse_entry(message);
        if (!entry || !ctnetlink::same(entry->original, flows[i])) return;
        helpers[i] = parse_helper(message);
        if (helpers[i]) helpers[i]->flow = flows[i];
      });
  if (!verdicts) return fail(verdicts.error());
  return helpers;
}

Result<bool> Expectations::give(const FlowHelper& helper) {
  std::optional<ctnetlink::Entry> entry;
  std::optional<FlowHelper> present;
  const auto found = impl_->ask([&](nlmsghdr* message) { ctnetlink::write_get(message, helper.flow); },
                                [&](const nlmsghdr* message, size_t) {
                                  entry = ctnetlink::parse_entry(message);
                                  present = parse_helper(message);
                                });
  if (!found) return fail(found.error());
  if (*found != 0 || !entry || !ctnetlink::same(entry->original, helper.flow)) return false;
  if (!present || present->name != helper.name) {
    if (Status replaced = impl_->replace(*entry, helper); !replaced) return fail(replaced.error());
    return true;
  }
  if (present->shifts == helper.shifts) return true;
  const nsrp_session_event flow = ctnetlink::to_event(*entry);
  const auto changed = impl_->ask([&](nlmsghdr* message) {
    ctnetlink::write_update(message, flow, 0, entry->status);
    write_shifts(message, helper);
  });
  if (!changed) return fail(changed.error());
  if (*changed != 0 && *changed != ENOENT) return fail(refused("shifted sequence numbers", *changed));
  return *changed == 0;
}

// A flow that cannot have its helper here stays as it was: it is worth more than what the helper would do for it.
Status Expectations::Impl::replace(const ctnetlink::Entry& entry, const FlowHelper& helper) {
  const nsrp_session_event flow = ctnetlink::to_event(entry);
  const auto removed = ask([&](nlmsghdr* message) { ctnetlink::write_delete(message, flow.key); });
  if (!removed) return fail(removed.error());
  const auto create = [&](bool with_helper) {
    return ask([&](nlmsghdr* message) {
      ctnetlink::write_create(message, flow, 0);
      if (!with_helper) return;
      nlattr* help = mnl_attr_nest_start(message, CTA_HELP);
      mnl_attr_put_strz(message, CTA_HELP_NAME, helper.name.c_str());
      mnl_attr_nest_end(message, help);
      write_shifts(message, helper);
    });
  };
  const auto created = create(true);
  if (created && *created == 0) return {};
  (void)create(false);
  return created ? fail(refused("helper " + helper.name, *created)) : fail(created.error());
}

}  // namespace nsrp::kernel
