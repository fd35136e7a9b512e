// SPDX-License-Identifier: Apache-2.0
// The parser of kagent's generic netlink messages, fed with messages made here: whole, sparse, hostile.
#include "udd/ctl/monitor.h"

#include <gtest/gtest.h>
#include <linux/ndd.h>
#include <netlink/attr.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>

#include <memory>

#include "udd/ctl/names.h"

namespace udd {
namespace {

struct MessageDeleter {
  void operator()(nl_msg* message) const noexcept { nlmsg_free(message); }
};
using Message = std::unique_ptr<nl_msg, MessageDeleter>;

Message make_message() {
  Message message{nlmsg_alloc()};
  genlmsg_put(message.get(), 0, 0, NLMSG_MIN_TYPE, 0, 0, NDD_CMD_EVENT, NDD_GENL_VERSION);
  return message;
}

TEST(PortStatus, TakesEveryAttribute) {
  Message message = make_message();
  nla_put_string(message.get(), NDD_A_PORT, "0000:00:03.0");
  nla_put_u32(message.get(), NDD_A_IFINDEX, 7);
  nla_put_u32(message.get(), NDD_A_MODE, NDD_MODE_RESTORING);
  nla_put_u32(message.get(), NDD_A_OLD_MODE, NDD_MODE_TUNNEL);
  nla_put_u32(message.get(), NDD_A_REASON, NDD_REASON_DIED);
  nla_put_u32(message.get(), NDD_A_PID, 1234);
  nla_put_u64(message.get(), NDD_A_TIME_NS, 0x1'0000'0001);
  nla_put_u32(message.get(), NDD_A_WARNED, 2);
  nla_put_u32(message.get(), NDD_A_HANG, NDD_REASON_WATCHDOG);
  nla_put_u32(message.get(), NDD_A_ON_HANG, NDD_ON_HANG_REPORT);

  const auto status = parse_port_status(message.get());
  ASSERT_TRUE(status);
  EXPECT_EQ(status->port, "0000:00:03.0");
  EXPECT_EQ(status->ifindex, 7u);
  EXPECT_EQ(status->mode, NDD_MODE_RESTORING);
  EXPECT_EQ(status->old_mode, NDD_MODE_TUNNEL);
  EXPECT_EQ(status->reason, NDD_REASON_DIED);
  EXPECT_EQ(status->pid, 1234u);
  EXPECT_EQ(status->time_ns, 0x1'0000'0001u);
  EXPECT_EQ(status->warned, 2u);
  EXPECT_EQ(status->hang, NDD_REASON_WATCHDOG);
  EXPECT_EQ(status->on_hang, NDD_ON_HANG_REPORT);
}

TEST(PortStatus, WithoutAnOldModeNothingChanged) {
  Message message = make_message();
  nla_put_string(message.get(), NDD_A_PORT, "p");
  nla_put_u32(message.get(), NDD_A_MODE, NDD_MODE_DIRECT);
  const auto status = parse_port_status(message.get());
  ASSERT_TRUE(status);
  EXPECT_EQ(status->old_mode, NDD_MODE_DIRECT);
  EXPECT_EQ(status->pid, 0u);
}

TEST(PortStatus, RefusesAMessageWithoutPortOrMode) {
  Message message = make_message();
  nla_put_u32(message.get(), NDD_A_MODE, NDD_MODE_DIRECT);
  EXPECT_FALSE(parse_port_status(message.get()));

  message = make_message();
  nla_put_string(message.get(), NDD_A_PORT, "p");
  EXPECT_FALSE(parse_port_status(message.get()));
}

TEST(PortStatus, RefusesAShortNumber) {
  Message message = make_message();
  nla_put_string(message.get(), NDD_A_PORT, "p");
  nla_put_u8(message.get(), NDD_A_MODE, 1);
  EXPECT_FALSE(parse_port_status(message.get()));
}

TEST(Names, CoverEveryValueAndTellUnknownOnes) {
  EXPECT_EQ(mode_name(NDD_MODE_NONE), "none");
  EXPECT_EQ(mode_name(NDD_MODE_UNBOUND), "unbound");
  EXPECT_EQ(mode_name(NDD_MODE_UNBOUND + 1), "unknown");
  EXPECT_EQ(reason_text(NDD_REASON_ADMIN), "an administrator asked for the port");
  EXPECT_EQ(on_hang_name(NDD_ON_HANG_REPORT), "report");
  EXPECT_EQ(on_hang_name(NDD_ON_HANG_REPORT + 1), "unknown");
  EXPECT_NE(reason_text(NDD_REASON_STALLED + 1), reason_text(NDD_REASON_STALLED));
}

}  // namespace
}  // namespace udd
