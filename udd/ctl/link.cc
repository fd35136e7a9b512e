// SPDX-License-Identifier: Apache-2.0
#include "udd/ctl/link.h"

#include <linux/if_link.h>
#include <linux/ndd.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/handlers.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <utility>

#include "udd/base/error.h"

namespace udd {
namespace {

using Socket = std::unique_ptr<nl_sock, decltype(&nl_socket_free)>;
using Message = std::unique_ptr<nl_msg, decltype(&nlmsg_free)>;

struct Refusal {
  int error_number = 0;
  std::string why;
};

// libnl has no word for the kernel's sentence (NLMSGERR_ATTR_MSG): it follows the request in the answer.
int on_refusal(sockaddr_nl*, nlmsgerr* answer, void* context) {
  auto& refusal = *static_cast<Refusal*>(context);
  refusal.error_number = -answer->error;
  nlmsghdr* const header = reinterpret_cast<nlmsghdr*>(answer) - 1;
  if ((header->nlmsg_flags & NLM_F_ACK_TLVS) == 0) return NL_STOP;
  int skip = sizeof(*answer);
  if ((header->nlmsg_flags & NLM_F_CAPPED) == 0) skip += static_cast<int>(answer->msg.nlmsg_len) - NLMSG_HDRLEN;
  if (const nlattr* text = nlmsg_find_attr(header, skip, NLMSGERR_ATTR_MSG)) refusal.why = nla_get_string(text);
  return NL_STOP;
}

bool put(nl_msg* message, int attribute, const std::optional<std::uint32_t>& value) {
  return !value || nla_put_u32(message, attribute, *value) == 0;
}

// lower: 0 for a link that there is already
bool put(nl_msg* message, const LinkRequest& request, unsigned lower) {
  ifinfomsg link{};
  link.ifi_family = AF_UNSPEC;
  bool fine = nlmsg_append(message, &link, sizeof link, NLMSG_ALIGNTO) == 0 &&
              (lower == 0 || nla_put_u32(message, IFLA_LINK, lower) == 0) &&
              nla_put_string(message, IFLA_IFNAME, request.name.c_str()) == 0;
  nlattr* const info = nla_nest_start(message, IFLA_LINKINFO);
  fine = fine && info != nullptr && nla_put_string(message, IFLA_INFO_KIND, "ndd") == 0;
  nlattr* const data = nla_nest_start(message, IFLA_INFO_DATA);
  fine = fine && data != nullptr && (!request.force || nla_put_flag(message, IFLA_NDD_FORCE) == 0) &&
         put(message, IFLA_NDD_POOL_MAX, request.settings.pool_max) &&
         put(message, IFLA_NDD_ON_HANG, request.settings.on_hang) &&
         put(message, IFLA_NDD_HANG_GRACE, request.settings.hang_grace);
  if (!fine) return false;
  nla_nest_end(message, data);
  nla_nest_end(message, info);
  return true;
}

// Sends `request`, and throws what the kernel says of it.
void ask(const LinkRequest& request, unsigned lower, int flags, ErrorInfo info) {
  const auto fail = [&](int error_number, const char* why) {
    info.why = why;
    throw Error(error_number, std::move(info));
  };
  const Socket socket{nl_socket_alloc(), &nl_socket_free};
  const Message message{nlmsg_alloc_simple(RTM_NEWLINK, flags), &nlmsg_free};
  if (!socket || !message || !put(message.get(), request, lower)) fail(ENOMEM, "");
  Refusal refusal;
  nl_socket_modify_err_cb(socket.get(), NL_CB_CUSTOM, on_refusal, &refusal);
  int error = nl_connect(socket.get(), NETLINK_ROUTE);
  const int on = 1;
  if (error >= 0) ::setsockopt(nl_socket_get_fd(socket.get()), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  if (error >= 0) error = nl_send_auto(socket.get(), message.get());
  if (error >= 0) error = nl_wait_for_ack(socket.get());
  if (refusal.error_number != 0) fail(refusal.error_number, refusal.why.c_str());
  if (error < 0) fail(EIO, nl_geterror(error));
}

}  // namespace

void create_link(const LinkRequest& request) {
  const std::string what = "create " + request.name;
  const unsigned lower = if_nametoindex(request.lower.c_str());
  if (lower == 0) throw Error(errno, {.what = what, .device = request.lower, .why = "", .advice = "see ip link"});
  ask(request, lower, NLM_F_CREATE | NLM_F_EXCL, {.what = what, .device = request.lower, .why = "", .advice = ""});
}

void change_link(const std::string& name, const LinkSettings& settings) {
  ask({.lower = "", .name = name, .force = false, .settings = settings}, 0, 0,
      {.what = "change " + name, .device = name, .why = "", .advice = ""});
}

}  // namespace udd
