// SPDX-License-Identifier: Apache-2.0
#include "udd/ctl/monitor.h"

#include <linux/ndd.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>

#include <array>
#include <cerrno>

#include "udd/base/error.h"

namespace udd {
namespace {

[[noreturn]] void fail(int error_number, const char* what, int nl_error) {
  throw Error(error_number, {.what = what,
                             .device = "generic netlink family \"" NDD_GENL_NAME "\"",
                             .why = nl_geterror(nl_error),
                             .advice = "load kagent.ko"});
}

using Policy = std::array<nla_policy, NDD_A_MAX + 1>;

// nla_policy has no constructor, and C++ no array designators.
Policy make_policy() {
  Policy policy{};
  policy[NDD_A_PORT].type = NLA_STRING;
  policy[NDD_A_PORT].maxlen = NDD_NAME_LEN;
  for (const int u32 :
       {NDD_A_IFINDEX, NDD_A_MODE, NDD_A_OLD_MODE, NDD_A_REASON, NDD_A_PID, NDD_A_WARNED, NDD_A_HANG, NDD_A_ON_HANG}) {
    policy[static_cast<std::size_t>(u32)].type = NLA_U32;
  }
  policy[NDD_A_TIME_NS].type = NLA_U64;
  return policy;
}

}  // namespace

std::optional<PortStatus> parse_port_status(nl_msg* message) {
  static Policy policy = make_policy();
  std::array<nlattr*, NDD_A_MAX + 1> attributes{};
  if (genlmsg_parse(nlmsg_hdr(message), 0, attributes.data(), NDD_A_MAX, policy.data()) < 0) return std::nullopt;
  if (attributes[NDD_A_PORT] == nullptr || attributes[NDD_A_MODE] == nullptr) return std::nullopt;

  const auto u32 = [&](std::size_t type) { return attributes[type] != nullptr ? nla_get_u32(attributes[type]) : 0; };
  PortStatus status;
  status.port = nla_get_string(attributes[NDD_A_PORT]);
  status.ifindex = u32(NDD_A_IFINDEX);
  status.mode = u32(NDD_A_MODE);
  status.old_mode = attributes[NDD_A_OLD_MODE] != nullptr ? u32(NDD_A_OLD_MODE) : status.mode;
  status.reason = u32(NDD_A_REASON);
  status.pid = u32(NDD_A_PID);
  status.time_ns = attributes[NDD_A_TIME_NS] != nullptr ? nla_get_u64(attributes[NDD_A_TIME_NS]) : 0;
  status.warned = u32(NDD_A_WARNED);
  status.hang = u32(NDD_A_HANG);
  status.on_hang = u32(NDD_A_ON_HANG);
  return status;
}

void PortMonitor::SocketDeleter::operator()(nl_sock* socket) const noexcept { nl_socket_free(socket); }

PortMonitor::Socket PortMonitor::connect() {
  Socket socket{nl_socket_alloc()};
  if (!socket) fail(ENOMEM, "open a netlink socket", NLE_NOMEM);
  if (const int error = genl_connect(socket.get()); error < 0) fail(EIO, "connect to generic netlink", error);
  return socket;
}

PortMonitor::PortMonitor() : requests_(connect()), events_(connect()) {
  family_ = genl_ctrl_resolve(requests_.get(), NDD_GENL_NAME);
  if (family_ < 0) fail(ENOENT, "find kagent", family_);
  const int group = genl_ctrl_resolve_grp(events_.get(), NDD_GENL_NAME, NDD_GENL_MCGRP_EVENTS);
  if (group < 0) fail(ENOENT, "find kagent's events", group);
  // Joined from the start: what happens between list() and watch() is not missed.
  if (const int error = nl_socket_add_membership(events_.get(), group); error < 0) {
    fail(EIO, "join kagent's events", error);
  }
  nl_socket_disable_seq_check(events_.get());
}

std::vector<PortStatus> PortMonitor::list() {
  std::vector<PortStatus> ports;
  const auto collect = [](nl_msg* message, void* out) -> int {
    if (auto status = parse_port_status(message)) {
      static_cast<std::vector<PortStatus>*>(out)->push_back(std::move(*status));
    }
    return NL_OK;
  };
  nl_socket_modify_cb(requests_.get(), NL_CB_VALID, NL_CB_CUSTOM, collect, &ports);
  int error = genl_send_simple(requests_.get(), family_, NDD_CMD_GET, NDD_GENL_VERSION, NLM_F_DUMP);
  if (error >= 0) error = nl_recvmsgs_default(requests_.get());
  if (error < 0) fail(EIO, "list the ports", error);
  return ports;
}

void PortMonitor::watch(const std::function<bool(const PortStatus&)>& on_event) {
  struct Watch {
    const std::function<bool(const PortStatus&)>& on_event;
    bool more = true;
  } watch{on_event};
  const auto deliver = [](nl_msg* message, void* context) -> int {
    auto& state = *static_cast<Watch*>(context);
    if (const auto status = parse_port_status(message); status && state.more) state.more = state.on_event(*status);
    return state.more ? NL_OK : NL_STOP;
  };
  nl_socket_modify_cb(events_.get(), NL_CB_VALID, NL_CB_CUSTOM, deliver, &watch);
  while (watch.more) {
    if (const int error = nl_recvmsgs_default(events_.get()); error < 0) fail(EIO, "wait for an event", error);
  }
}

}  // namespace udd
