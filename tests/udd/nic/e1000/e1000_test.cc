// SPDX-License-Identifier: Apache-2.0
// What the driver writes to the registers, in which order, and nothing else. What comes of it is tests/contract's.
#include "udd/nic/e1000/e1000.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <vector>

#include "tests/fake/e1000_chip.h"
#include "tests/fake/fake_mmio.h"
#include "tests/fake/ip_frame.h"
#include "tests/fake/port_memory.h"
#include "udd/base/error.h"
#include "udd/mem/mapped.h"
#include "udd/nic/e1000/regs.h"

namespace udd {
namespace {

using namespace e1000;  // NOLINT(google-build-using-namespace)
using Write = fake::FakeMmio::Write;

class E1000Test : public ::testing::Test {
 protected:
  static constexpr std::uint32_t kRst = Ctrl::Rst::kMask;
  static constexpr MacAddress kMac{0x52, 0x54, 0x00, 0x12, 0x34, 0x56};

  E1000Test() {
    StateArea::format(view_->state(), memory_.sizes());
    pool_ = std::make_unique<Pool>(Pool::create(memory_.geometry(*view_), section(StateSection::kPool)));
    nic_ = std::make_unique<E1000>(io_, line_, *pool_, section(StateSection::kNic), "0000:00:03.0");
  }
  std::span<std::byte> section(StateSection which) { return StateArea::adopt(view_->state()).section(which); }

  /// Index of the first write to a register that has all of `bits`.
  template <typename R>
  std::size_t first_write(std::uint32_t bits = 0) {
    const auto& writes = io_.writes();
    for (std::size_t i = 0; i < writes.size(); ++i) {
      if (writes[i].offset == R::kOffset && (writes[i].value & bits) == bits) return i;
    }
    ADD_FAILURE() << "never written: " << std::hex << R::kOffset;
    return writes.size();
  }

  static constexpr std::uint32_t kBuffers = 1200;
  fake::PortMemory memory_{E1000::needs().nic_pages, kBuffers, 16, E1000::needs().state_size};
  std::unique_ptr<fake::PortView> view_ = memory_.map();
  fake::E1000Chip chip_;
  fake::FakeMmio& io_ = chip_.io();
  fake::FakeLine& line_ = chip_.line();
  std::unique_ptr<Pool> pool_;
  std::unique_ptr<E1000> nic_;
};

TEST_F(E1000Test, ConstructionTouchesNothing) {
  EXPECT_TRUE(io_.writes().empty());
  EXPECT_TRUE(io_.reads().empty());
}

TEST_F(E1000Test, StopsDmaBeforeItResetsAndEnablesLast) {
  nic_->start();
  const std::size_t masked = first_write<Imc>(kAllOnes);
  const std::size_t master_off = first_write<Ctrl>(Ctrl::GioMasterDisable::kMask);
  const std::size_t reset = first_write<Ctrl>(kRst);
  EXPECT_LT(masked, first_write<Rctl>());
  EXPECT_LT(first_write<Rctl>(), master_off);
  EXPECT_LT(first_write<Tctl>(), master_off);
  EXPECT_LT(master_off, reset);
  EXPECT_LT(reset, first_write<Rdbal>());
  EXPECT_LT(first_write<Rdlen>(), first_write<Rctl>(Rctl::En::kMask));
  EXPECT_LT(first_write<Tdlen>(), first_write<Tctl>(Tctl::En::kMask));
  EXPECT_LT(first_write<Rfctl>(), first_write<Rctl>(Rctl::En::kMask));
  EXPECT_LT(first_write<Mrqc>(), first_write<Rctl>(Rctl::En::kMask));
}

TEST_F(E1000Test, NeverResetsThePhy) {
  nic_->start();
  nic_->stop();
  constexpr std::uint32_t kPhyRst = 1u << 31;
  constexpr std::uint32_t kMdic = 0x00020;
  for (const Write& write : io_.writes()) {
    if (write.offset == Ctrl::kOffset) {
      EXPECT_EQ(write.value & kPhyRst, 0u);
    }
    EXPECT_NE(write.offset, kMdic);
  }
}

TEST_F(E1000Test, LeavesInterruptsMasked) {
  nic_->start();
  for (const Write& write : io_.writes()) {
    EXPECT_NE(write.offset, Ims::kOffset);
    EXPECT_NE(write.offset, Ics::kOffset);
  }
}

TEST_F(E1000Test, TellsTheNicWhereTheRingsAre) {
  nic_->start();
  const std::uint64_t rx = fake::PortMemory::kIova.value;
  const auto slots = nic_->queue().slots();
  EXPECT_EQ(io_.word(Rdbal::kOffset), static_cast<std::uint32_t>(rx));
  EXPECT_EQ(io_.word(Rdbah::kOffset), rx >> 32);
  EXPECT_EQ(io_.word(Rdlen::kOffset), slots.rx * 16);
  EXPECT_EQ(io_.word(Tdbal::kOffset), static_cast<std::uint32_t>(rx + slots.rx * 16));
  EXPECT_EQ(io_.word(Tdbah::kOffset), rx >> 32);
  EXPECT_EQ(io_.word(Tdlen::kOffset), slots.tx * 16);
  EXPECT_EQ(io_.word(Rdlen::kOffset) % 128, 0u);
  EXPECT_EQ(io_.word(Rdt::kOffset), slots.rx - 1) << "one slot stays empty";
  EXPECT_EQ(io_.word(Tdt::kOffset), 0u);
}

TEST_F(E1000Test, AsksForFourKibBuffersWithoutFcs) {
  nic_->start();
  const Value<Rctl> rctl(io_.word(Rctl::kOffset));
  EXPECT_EQ(rctl.get<Rctl::Bsize>(), 3u);
  EXPECT_EQ(rctl.get<Rctl::Bsex>(), 1u);
  EXPECT_EQ(rctl.get<Rctl::Secrc>(), 1u);
  EXPECT_EQ(rctl.get<Rctl::Sbp>(), 0u);
  EXPECT_EQ(rctl.get<Rctl::Dtyp>(), 0u);
  EXPECT_EQ(io_.word(Rfctl::kOffset) & Rfctl::Exten::kMask, 0u);
}

TEST_F(E1000Test, SaysWhenTheResetDoesNotEnd) {
  io_.on_write(Ctrl::kOffset, [](std::uint32_t) {});
  try {
    nic_->start();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.error_number(), ETIMEDOUT);
    EXPECT_EQ(error.info().device, "0000:00:03.0");
  }
}

TEST_F(E1000Test, SaysWhenTheDeviceIsGone) {
  nic_->start();
  io_.set_gone(true);
  EXPECT_THROW(nic_->start(), Error);
  EXPECT_THROW(nic_->configure({.mac = kMac}), Error);
  EXPECT_EQ(nic_->link().status, LinkState::Status::kUnknown);
  const NicStats stats = nic_->stats();
  EXPECT_EQ(stats.rx_frames, 0u) << "all ones is no count";
  nic_->stop();
  EXPECT_EQ(pool_->free_count(), kBuffers - 16);
}

TEST_F(E1000Test, RefusesASmallBar) {
  fake::FakeMmio small(0x10000);
  EXPECT_THROW(E1000(small, line_, *pool_, section(StateSection::kNic), "x"), Error);
}

TEST_F(E1000Test, KnowsItsPermanentAddressAfterANewOneWasSet) {
  nic_->start();
  EXPECT_EQ(nic_->permanent_mac(), (MacAddress{0x52, 0x54, 0x00, 0x12, 0x34, 0x56}));
  const MacAddress other{2, 4, 6, 8, 10, 12};
  nic_->configure({.mac = other});
  EXPECT_EQ(io_.word(Ral::kOffset), 0x08060402u);
  EXPECT_EQ(io_.word(Rah::kOffset), 0x80000c0au);
  EXPECT_EQ(nic_->permanent_mac(), kMac);
  E1000 next(io_, line_, *pool_, section(StateSection::kNic), "0000:00:03.0");
  next.adopt();
  EXPECT_EQ(next.permanent_mac(), kMac);
}

TEST_F(E1000Test, ConfiguresOnlyWhatChanges) {
  nic_->start();
  const MacAddress group{0x01, 0x00, 0x5e, 0x00, 0x00, 0x17};  // bits 47:36: 0x170
  std::vector<std::uint8_t> vlans(512);
  vlans[5] = 0x80;  // id 47
  io_.forget();
  nic_->configure(
      {.mac = kMac, .multicast = std::span(&group, 1), .vlan_filter = true, .vlan_bitmap = vlans, .mtu = 9000});
  const std::uint32_t rctl = io_.word(Rctl::kOffset);
  EXPECT_EQ(io_.writes(), (std::vector<Write>{{offset_of<Mta>(0x170 / 32), 1u << (0x170 % 32)},
                                              {offset_of<Vfta>(1), 1u << 15},
                                              {Rctl::kOffset, rctl}}));
  EXPECT_EQ(rctl & (Rctl::Vfe::kMask | Rctl::Lpe::kMask), Rctl::Vfe::kMask | Rctl::Lpe::kMask);
  EXPECT_NE(rctl & Rctl::En::kMask, 0u);
  io_.forget();
  nic_->configure({.mac = kMac, .promiscuous = true});
  EXPECT_EQ(io_.word(offset_of<Mta>(0x170 / 32)), 0u);
  EXPECT_EQ(Value<Rctl>(io_.word(Rctl::kOffset)).get<Rctl::Upe>(), 1u);
  EXPECT_EQ(Value<Rctl>(io_.word(Rctl::kOffset)).get<Rctl::Mpe>(), 1u);
  EXPECT_EQ(Value<Rctl>(io_.word(Rctl::kOffset)).get<Rctl::Lpe>(), 0u);
}

TEST_F(E1000Test, NeverHasAHalfWrittenAddress) {
  nic_->start();
  io_.forget();
  nic_->configure({.mac = {2, 4, 6, 8, 10, 12}});
  const std::vector<Write> expected{{Rah::kOffset, 0}, {Ral::kOffset, 0x08060402}, {Rah::kOffset, 0x80000c0a}};
  ASSERT_GE(io_.writes().size(), expected.size());
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), io_.writes().begin()));
}

TEST_F(E1000Test, UnmaskForgetsOldFramesAndNotTheLink) {
  nic_->start();
  io_.forget();
  nic_->unmask_interrupt();
  EXPECT_EQ(io_.writes(),
            (std::vector<Write>{{Icr::kOffset, Icr::Rxt0::kMask}, {Ims::kOffset, Ims::Rxt0::kMask | Ims::Lsc::kMask}}));
  EXPECT_EQ(line_.unmasked, 1);
  io_.forget();
  nic_->mask_interrupt();
  EXPECT_EQ(io_.writes(), (std::vector<Write>{{Imc::kOffset, Imc::Rxt0::kMask | Imc::Lsc::kMask}}));
}

TEST_F(E1000Test, TellsTheLink) {
  nic_->start();
  EXPECT_EQ(nic_->link(),
            (LinkState{.status = LinkState::Status::kUp, .duplex = LinkState::Duplex::kFull, .speed_mbps = 1000}));
  io_.word(Status::kOffset) = Status::Lu::kMask | 1 << 6;
  EXPECT_EQ(nic_->link(),
            (LinkState{.status = LinkState::Status::kUp, .duplex = LinkState::Duplex::kHalf, .speed_mbps = 100}));
  io_.word(Status::kOffset) = 0;
  EXPECT_EQ(nic_->link().status, LinkState::Status::kDown);
}

TEST_F(E1000Test, SumsTheClearOnReadCounters) {
  nic_->start();
  for (auto offset : {Gprc::kOffset, Gorcl::kOffset, Gorch::kOffset, Mpc::kOffset, Crcerrs::kOffset}) {
    io_.on_read(offset, [this, offset] { return std::exchange(io_.word(offset), 0); });
  }
  io_.word(Gprc::kOffset) = 10;
  io_.word(Gorcl::kOffset) = 640;
  io_.word(Gorch::kOffset) = 1;
  io_.word(Mpc::kOffset) = 3;
  io_.word(Crcerrs::kOffset) = 2;
  static_cast<void>(nic_->stats());
  io_.word(Gprc::kOffset) = 1;
  io_.word(Gorcl::kOffset) = 64;
  const NicStats stats = nic_->stats();
  EXPECT_EQ(stats.rx_frames, 11u);
  EXPECT_EQ(stats.rx_octets, (1ull << 32) + 704 - 44) << "without FCS";
  EXPECT_EQ(stats.rx_missed, 3u);
  EXPECT_EQ(stats.rx_errors, 2u);
}

TEST_F(E1000Test, BurstsWriteOneTailEach) {
  nic_->start();
  std::vector<BufferIndex> buffers(3);
  ASSERT_EQ(pool_->take(buffers), 3u);
  std::vector<Piece> pieces;
  for (BufferIndex buffer : buffers) {
    pieces.push_back({.buffer = buffer, .offset = 2, .length = 60, .flags = Piece::kFirst | Piece::kLast});
  }
  EXPECT_EQ(nic_->queue().tx_burst(pieces), 3u);
  EXPECT_EQ(io_.word(Tdt::kOffset), 3u);
  const auto* ring = mapped_at<RingDescriptor>(view_->pool(), nic_->queue().slots().rx * sizeof(RingDescriptor), 3);
  EXPECT_EQ(ring[0].address, pool_->iova(buffers[0]).value + 2);
  // EOP, IFCS; RS on the last one only.
  EXPECT_EQ(ring[0].word, 60u | 0x03000000u);
  EXPECT_EQ(ring[1].word, 60u | 0x03000000u);
  EXPECT_EQ(ring[2].word, 60u | 0x0b000000u);
}

TEST_F(E1000Test, KernelFramesGoOutAsTheySay) {
  nic_->start();
  const BufferIndex first = pool_->first_kernel_buffer();
  fake::IpFrame cut({2, 0, 0, 0, 0, 2}, kMac, {.payload = 20000});
  fake::IpFrame summed({2, 0, 0, 0, 0, 2}, kMac, {.tcp = false});
  constexpr Iova kWindow{0x0105'0040};
  const auto header = static_cast<std::uint32_t>(cut.header() + 4);
  const TxPiece pieces[] = {
      {.address = pool_->iova(first), .length = header, .token = first},
      // three runs of the NIC's, 19996 octets
      {.address = kWindow, .length = 20000 - 4, .token = kWindowToken | 5},
      {.address = pool_->iova(first + 1), .length = 60, .token = first + 1},
      {.address = pool_->iova(first + 2), .length = 100, .token = first + 2},
      {.address = pool_->iova(first + 3), .length = 42, .token = first + 3},
  };
  const TxFrame frames[] = {
      {.pieces = 2, .length = header + 19996, .header = cut.raw().data(), .offload = cut.offload(1448)},
      {.pieces = 1, .length = 60},
      {.pieces = 2, .length = 142, .header = summed.raw().data(), .offload = summed.offload(0)},
  };
  EXPECT_EQ(E1000Queue::tx_slots(frames[0], &pieces[0]), 1u + 1 + 3);
  EXPECT_EQ(E1000Queue::tx_slots(frames[1], &pieces[2]), 1u);
  EXPECT_EQ(E1000Queue::tx_slots(frames[2], &pieces[3]), 1u + 2);
  const std::size_t room = nic_->queue().tx_room();
  nic_->queue().tx_frames(frames, pieces);
  EXPECT_EQ(io_.word(Tdt::kOffset), 9u);
  EXPECT_EQ(nic_->queue().tx_room(), room - 9);

  auto* ring = mapped_at<RingDescriptor>(view_->pool(), nic_->queue().slots().rx * sizeof(RingDescriptor), 9);
  const struct {
    std::uint64_t address;
    std::uint64_t word;
  } kExpected[] = {
      {0x0000'3222'0021'180e, 0x05a8'4200'2700'4e20},  // see descriptors_test
      {pool_->iova(first).value, 0x0000'0300'2610'0000u | header},
      {kWindow.value, 0x0000'0300'2610'2000},
      {kWindow.value + 0x2000, 0x0000'0300'2610'2000},
      {kWindow.value + 0x4000, 0x0000'0300'2710'0e1c},  // EOP
      {pool_->iova(first + 1).value, 0x0300'003c},      // legacy
      {0x0000'2822'0000'0000, 0x2000'0000},
      {pool_->iova(first + 2).value, 0x0000'0200'2210'0064},
      {pool_->iova(first + 3).value, 0x0000'0200'2b10'002a},  // EOP, and RS for all of them
  };
  for (std::size_t i = 0; i < std::size(kExpected); ++i) {
    EXPECT_EQ(ring[i].address, kExpected[i].address) << i;
    EXPECT_EQ(ring[i].word, kExpected[i].word) << i;
  }

  // What comes back, in order, when the NIC has reported: nothing for contexts and for runs but the last of a piece.
  std::array<BufferIndex, 3> some{};
  EXPECT_EQ(nic_->queue().tx_reclaim(some), 0u);
  ring[8].store(ring[8].word | E1000Format::kTxDone);
  std::vector<BufferIndex> back;
  while (const std::size_t count = nic_->queue().tx_reclaim(some)) {
    back.insert(back.end(), some.begin(), some.begin() + static_cast<std::ptrdiff_t>(count));
  }
  EXPECT_EQ(back, (std::vector<BufferIndex>{first, kWindowToken | 5, first + 1, first + 2, first + 3}));
  EXPECT_EQ(nic_->queue().tx_room(), room);
}

TEST_F(E1000Test, KernelFramesWrapAroundTheRing) {
  nic_->start();
  const BufferIndex first = pool_->first_kernel_buffer();
  fake::IpFrame cut({2, 0, 0, 0, 0, 2}, kMac, {.v4 = false, .payload = 9000});
  const auto length = static_cast<std::uint32_t>(cut.octets().size());
  const TxPiece piece{.address = pool_->iova(first), .length = length, .token = first};
  auto* ring = mapped_at<RingDescriptor>(view_->pool(), nic_->queue().slots().rx * sizeof(RingDescriptor), 512);
  // Three slots each, which do not divide the ring.
  for (std::uint32_t i = 0; i < 1000; ++i) {
    const TxFrame frame{.pieces = 1, .length = length, .header = cut.raw().data(), .offload = cut.offload(1000)};
    nic_->queue().tx_frames(std::span(&frame, 1), &piece);
    const std::uint32_t end = (i + 1) * 3;
    ASSERT_EQ(io_.word(Tdt::kOffset), end % 512);
    EXPECT_EQ(ring[(end - 3) % 512].address, E1000Format::tx_context(frame).address);
    EXPECT_EQ(ring[(end - 2) % 512].address, pool_->iova(first).value);
    EXPECT_EQ(ring[(end - 1) % 512].address, pool_->iova(first).value + 8192);
    ring[(end - 1) % 512].store(E1000Format::kTxDone);
    std::array<BufferIndex, 4> back{};
    ASSERT_EQ(nic_->queue().tx_reclaim(back), 1u);
    EXPECT_EQ(back[0], first);
  }
}

TEST_F(E1000Test, AnotherProcessAndAStopFindTheTokens) {
  nic_->start();
  const BufferIndex first = pool_->first_kernel_buffer();
  fake::IpFrame cut({2, 0, 0, 0, 0, 2}, kMac, {.payload = 20000});
  const TxPiece pieces[] = {{.address = pool_->iova(first), .length = 100, .token = first},
                            {.address = Iova{0x0100'0000}, .length = 19966, .token = kWindowToken}};
  const TxFrame frame{.pieces = 2, .length = 20066, .header = cut.raw().data(), .offload = cut.offload(1448)};
  nic_->queue().tx_frames(std::span(&frame, 1), pieces);
  E1000 next(io_, line_, *pool_, section(StateSection::kNic), "0000:00:03.0");
  next.adopt();
  next.stop();
  std::array<BufferIndex, 8> back{};
  ASSERT_EQ(next.queue().tx_reclaim(back), 2u);
  EXPECT_EQ(back[0], first);
  EXPECT_EQ(back[1], kWindowToken);
  EXPECT_EQ(next.queue().tx_room(), 0u);
}

TEST_F(E1000Test, LetsTheNicCheckSumsAndTellsOfThem) {
  nic_->start();
  EXPECT_EQ(io_.word(Rxcsum::kOffset), 0x300u) << "IPOFL, TUOFL";
  auto* ring = mapped_at<RingDescriptor>(view_->pool(), 0, 4);
  constexpr std::uint64_t kWhole = E1000Format::kRxDone | E1000Format::kRxLast;
  ring[0].store(60 | kWhole | E1000Format::kRxTcpcs);
  ring[1].store(60 | kWhole | E1000Format::kRxTcpcs | E1000Format::kRxTcpe);
  ring[2].store(4096 | E1000Format::kRxDone | E1000Format::kRxTcpcs);  // not the frame's last: means nothing
  ring[3].store(100 | kWhole | E1000Format::kRxTcpcs);
  std::array<Piece, 4> pieces{};
  ASSERT_EQ(nic_->queue().rx_burst(pieces), 4u);
  EXPECT_EQ(pieces[0].flags, Piece::kFirst | Piece::kLast | Piece::kChecksumOk);
  EXPECT_EQ(pieces[1].flags, Piece::kFirst | Piece::kLast) << "the kernel's to judge";
  EXPECT_EQ(pieces[2].flags, Piece::kFirst);
  EXPECT_EQ(pieces[3].flags, Piece::kLast | Piece::kChecksumOk);
}

}  // namespace
}  // namespace udd
