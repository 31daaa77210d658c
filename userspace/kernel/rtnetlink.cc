// SPDX-License-Identifier: Apache-2.0
#include "kernel/rtnetlink.h"

#include <linux/if_link.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include <cerrno>
#include <cstring>
#include <new>

namespace nsrp::kernel {
namespace {

constexpr int kSocketBuffer = 8 << 20;
constexpr int kDumpAttempts = 20;

struct Exchange {
  explicit Exchange(const std::function<void(const nlmsghdr*)>& told) : visit(&told) {}
  const std::function<void(const nlmsghdr*)>* visit;
  Rtnetlink::Answer answer;
  bool done = false;
};

// The kernel's own sentence follows the error code as an attribute (NETLINK_EXT_ACK).
std::string extended_text(const nlmsgerr* error) {
  const auto* header = reinterpret_cast<const nlmsghdr*>(error) - 1;
  if ((header->nlmsg_flags & NLM_F_ACK_TLVS) == 0) return {};
  size_t offset = sizeof(nlmsgerr);
  if ((header->nlmsg_flags & NLM_F_CAPPED) == 0) offset += error->msg.nlmsg_len - sizeof(nlmsghdr);
  nlattr* text = nlmsg_find_attr(const_cast<nlmsghdr*>(header), static_cast<int>(offset), NLMSGERR_ATTR_MSG);
  return text != nullptr ? nla_get_string(text) : "";
}

int on_error(sockaddr_nl*, nlmsgerr* error, void* context) {
  auto* exchange = static_cast<Exchange*>(context);
  exchange->answer = {-error->error, extended_text(error)};
  exchange->done = true;
  return NL_STOP;
}

int on_last_word(nl_msg*, void* context) {
  static_cast<Exchange*>(context)->done = true;
  return NL_STOP;
}

int on_valid(nl_msg* message, void* context) {
  auto* exchange = static_cast<Exchange*>(context);
  if (*exchange->visit) (*exchange->visit)(nlmsg_hdr(message));
  return NL_OK;
}

// Receives until the kernel's last word. Returns libnl's error, 0 when there was a last word.
int receive(nl_sock* socket, Exchange& exchange) {
  nl_cb* callbacks = nl_cb_alloc(NL_CB_DEFAULT);
  if (callbacks == nullptr) throw std::bad_alloc();
  nl_cb_err(callbacks, NL_CB_CUSTOM, on_error, &exchange);
  nl_cb_set(callbacks, NL_CB_ACK, NL_CB_CUSTOM, on_last_word, &exchange);
  nl_cb_set(callbacks, NL_CB_FINISH, NL_CB_CUSTOM, on_last_word, &exchange);
  nl_cb_set(callbacks, NL_CB_VALID, NL_CB_CUSTOM, on_valid, &exchange);
  int result = 0;
  while (!exchange.done && result >= 0) result = nl_recvmsgs(socket, callbacks);
  nl_cb_put(callbacks);
  // libnl turns a refusal into a coarser error of its own; the kernel's stands in the answer.
  if (exchange.answer.error != 0) return 0;
  return result < 0 ? result : 0;
}

}  // namespace

RtMessage::RtMessage(int type, int flags, const void* header, size_t size)
    : message_(nlmsg_alloc_simple(type, flags | NLM_F_REQUEST)) {
  if (message_ == nullptr || nlmsg_append(message_, const_cast<void*>(header), size, NLMSG_ALIGNTO) < 0)
    throw std::bad_alloc();
}

RtMessage::~RtMessage() {
  nlmsg_free(message_);
}

void RtMessage::put(int attribute, const void* data, size_t size) {
  if (nla_put(message_, attribute, static_cast<int>(size), data) < 0) throw std::bad_alloc();
}

void RtMessage::put_link_info(const std::string& kind, const std::function<void()>& data) {
  nlattr* info = nla_nest_start(message_, IFLA_LINKINFO);
  put(IFLA_INFO_KIND, kind.c_str(), kind.size() + 1);
  nlattr* nested = nla_nest_start(message_, IFLA_INFO_DATA);
  if (info == nullptr || nested == nullptr) throw std::bad_alloc();
  data();
  nla_nest_end(message_, nested);
  nla_nest_end(message_, info);
}

std::string Rtnetlink::Answer::reason() const {
  const std::string name = std::strerror(error);
  return text.empty() ? name : name + " (" + text + ")";
}

Result<std::unique_ptr<Rtnetlink>> Rtnetlink::open() {
  nl_sock* socket = nl_socket_alloc();
  if (socket == nullptr) throw std::bad_alloc();
  std::unique_ptr<Rtnetlink> self(new Rtnetlink(socket));
  if (const int error = nl_connect(socket, NETLINK_ROUTE); error < 0)
    return fail(std::string("cannot open an rtnetlink socket: ") + nl_geterror(error));
  const int on = 1;
  const int fd = nl_socket_get_fd(socket);
  // Short error reports with the kernel's sentence; dumps filtered by the kernel (a box with a full routing table has
  // a million routes that are not ours). Older kernels that know none of these answer all the same.
  (void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  (void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  (void)setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
  (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kSocketBuffer, sizeof kSocketBuffer);
  nl_socket_set_msg_buf_size(socket, 1 << 16);
  return self;
}

Rtnetlink::~Rtnetlink() {
  nl_socket_free(socket_);
}

Rtnetlink::Answer Rtnetlink::request(const RtMessage& message, const std::function<void(const nlmsghdr*)>& visit) {
  nlmsg_hdr(message.get())->nlmsg_flags |= NLM_F_ACK;
  Exchange exchange(visit);
  int error = nl_send_auto(socket_, message.get());
  if (error >= 0) error = receive(socket_, exchange);
  if (error < 0) return {EIO, nl_geterror(error)};
  return exchange.answer;
}

Status Rtnetlink::dump(const RtMessage& message, const std::function<void()>& begin,
                       const std::function<void(const nlmsghdr*)>& visit) {
  for (int attempt = 0; attempt < kDumpAttempts; ++attempt) {
    begin();
    nlmsghdr* header = nlmsg_hdr(message.get());
    header->nlmsg_flags |= NLM_F_DUMP;
    header->nlmsg_seq = NL_AUTO_SEQ;
    header->nlmsg_pid = NL_AUTO_PORT;
    Exchange exchange(visit);
    int error = nl_send_auto(socket_, message.get());
    if (error >= 0) error = receive(socket_, exchange);
    if (error == -NLE_DUMP_INTR) continue;
    if (error < 0) return fail(std::string("cannot ask the kernel over rtnetlink: ") + nl_geterror(error));
    if (!exchange.answer.ok()) return fail("the kernel refused a dump over rtnetlink: " + exchange.answer.reason());
    return {};
  }
  return fail("the kernel's network state changes too fast to be read over rtnetlink");
}

}  // namespace nsrp::kernel
