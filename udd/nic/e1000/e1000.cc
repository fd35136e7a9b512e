// SPDX-License-Identifier: Apache-2.0
// E1000: reset, initialisation, filters, link and statistics, in the order of the 82574 datasheet's chapter 4.6
// ("Software initialization and diagnostics"). DS below is that datasheet, rev. 3.4. The PHY is never touched:
// autonegotiation has been done by whoever had the port before, and goes on by itself.
#include "udd/nic/e1000/e1000.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "udd/base/error.h"
#include "udd/nic/e1000/regs.h"

namespace udd {

using namespace e1000;  // NOLINT(google-build-using-namespace): register names, used all over

namespace {

using std::chrono::milliseconds;

/// Outstanding PCIe requests: the default completion timeout is at most 50 ms (PCIe base specification 3.0, §2.8);
/// twice that.
constexpr milliseconds kMasterDisableTimeout{2 * 50};
/// No register may be touched for 1 us after a reset (DS §4.6); ten times that.
constexpr std::chrono::microseconds kResetPause{10};
/// The MAC reset takes a microsecond or so; 1 ms is generous.
constexpr milliseconds kResetTimeout{1};
/// Reading the configuration from NVM: 10 ms as the kernel's driver waits, doubled.
constexpr milliseconds kAutoReadTimeout{2 * 10};
/// The management firmware holds the MDIO bus for single transfers, 64 us each; 10 ms are 150 of them.
constexpr milliseconds kMdioTimeout{10};

/// "9 KB jumbo frame support" (DS, product features): 9234 octets with header and FCS, the kernel's driver's limit too,
/// so that ndd0 keeps its MTU through a take.
constexpr std::uint32_t kMaxMtu = 9234 - 14 - 4;
constexpr std::uint32_t kStandardMtu = 1500;
constexpr std::uint64_t kFcs = 4;
constexpr std::size_t kVlanOctets = 512;

constexpr std::uint32_t low(Iova address) noexcept { return static_cast<std::uint32_t>(address.value); }
constexpr std::uint32_t high(Iova address) noexcept { return static_cast<std::uint32_t>(address.value >> 32); }

std::uint32_t ring_octets(std::uint32_t slots) noexcept {
  return slots * static_cast<std::uint32_t>(sizeof(RingDescriptor));
}

/// Bit of the multicast table for an address with RCTL.MO = 0: its bits 47:36 (DS §10.2.5, MTA).
std::uint32_t hash_of(const MacAddress& group) noexcept { return (group[4] >> 4) | std::uint32_t{group[5]} << 4; }

template <typename Table>
void set_bit(Table& table, std::uint32_t bit) noexcept {
  table[bit / 32] |= std::uint32_t{1} << (bit % 32);
}

}  // namespace

E1000Doorbell::E1000Doorbell(RegisterIo& io) : rx_(io.doorbell(Rdt::kOffset)), tx_(io.doorbell(Tdt::kOffset)) {}

NicNeeds E1000::needs(E1000Queue::Slots slots) noexcept {
  return {.nic_pages = static_cast<std::uint32_t>((E1000Queue::ring_memory(slots) + kPageSize - 1) / kPageSize),
          .state_size = E1000Queue::state_size(slots),
          .offloads = kOffloads};
}

E1000::E1000(RegisterIo& io, const InterruptLine& irq, Pool& pool, std::span<std::byte> state, std::string device,
             E1000Queue::Slots slots)
    : io_(io), irq_(irq), device_(std::move(device)), queue_(pool, state, slots, E1000Doorbell(io)) {
  if (io.size() < kBarSize) {
    throw Error(EINVAL, {.what = "use its registers", .device = device_, .why = "BAR 0 is too small", .advice = {}});
  }
}

void E1000::require_present() const {
  if (read_reg<Status>(io_).raw() != kAllOnes) return;
  throw Error(ENODEV, {.what = "talk to the NIC",
                       .device = device_,
                       .why = "its registers read all ones: it was removed or is powered down",
                       .advice = "check that the device is still listed by lspci"});
}

void E1000::quiesce() {
  write_raw<Imc>(io_, kAllOnes);
  modify<Rctl>(io_, Rctl::En(0));
  modify<Tctl>(io_, Tctl::En(0));
  // DS §5 (master disable): no new requests from here on, and when GioMaster reads 0 none is outstanding.
  modify<Ctrl>(io_, Ctrl::GioMasterDisable(1));
  // If a completion never comes the bit stays; going on is right then, since the reset drops the request (DS §5).
  static_cast<void>(poll_until<Status, Status::GioMaster>(io_, 0, kMasterDisableTimeout, device_));
}

void E1000::reset() {
  // Without the MDIO bus in software's hands a reset can cut a transfer of the management firmware short.
  modify<ExtCnfCtrl>(io_, ExtCnfCtrl::MdioSwOwnership(1));
  static_cast<void>(poll_until<ExtCnfCtrl, ExtCnfCtrl::MdioSwOwnership>(io_, 1, kMdioTimeout, device_));
  modify<Ctrl>(io_, Ctrl::Rst(1));  // PHY_RST stays 0: the link stays up
  std::this_thread::sleep_for(kResetPause);
  const bool reset_done = poll_until<Ctrl, Ctrl::Rst>(io_, 0, kResetTimeout, device_);
  modify<ExtCnfCtrl>(io_, ExtCnfCtrl::MdioSwOwnership(0));
  if (!reset_done || !poll_until<Eec, Eec::AutoRd>(io_, 1, kAutoReadTimeout, device_)) {
    throw Error(ETIMEDOUT, {.what = "reset the NIC",
                            .device = device_,
                            .why = reset_done ? "it doesn't finish reading its EEPROM" : "the reset doesn't end",
                            .advice = "power-cycle the machine if the kernel's driver can't start it either"});
  }
  write_raw<Imc>(io_, kAllOnes);
  static_cast<void>(read_reg<Icr>(io_));  // reading clears what is pending
}

void E1000::initialise() {
  // The specification update's demands come first: they hold for everything after.
  modify<Txdctl>(io_, Txdctl::Errata22(1));
  modify<Tarc0>(io_, Tarc0::Errata26(1), Tarc0::Errata30To27(0));
  modify<Gcr>(io_, Gcr::Errata22(1));
  modify<Gcr2>(io_, Gcr2::Errata0(1));
  // Interrupts are masked by software alone; the kernel's driver may have left auto-mask on.
  modify<CtrlExt>(io_, CtrlExt::Errata22(1), CtrlExt::Errata23(0), CtrlExt::Eiame(0), CtrlExt::Iame(0),
                  CtrlExt::DrvLoad(1));
  write_raw<Eiac>(io_, 0);
  write_raw<Iam>(io_, 0);
  write_raw<Itr>(io_, 0);
  // The MAC takes speed and duplex from the PHY.
  modify<Ctrl>(io_, Ctrl::Slu(1), Ctrl::FrcSpd(0), Ctrl::FrcDplx(0), Ctrl::Rfce(0), Ctrl::Tfce(0), Ctrl::Errata29(0),
               Ctrl::GioMasterDisable(0));
  // The VLAN filter looks for this EtherType; 0 after a reset in QEMU.
  write_reg<Vet>(io_, Vet::Type(0x8100));
  for (std::uint32_t i = 0; i < kTableSize; ++i) {
    write_raw<Mta>(io_, 0, i);
    write_raw<Vfta>(io_, 0, i);
  }
  multicast_ = {};
  vlans_ = {};
}

void E1000::start_receive() {
  // Survive a reset on some chips (and in QEMU); the kernel's driver sets both, and either would change the
  // descriptors.
  write_reg<Rfctl>(io_, Rfctl::Exten(0));
  write_raw<Mrqc>(io_, 0);
  write_reg<Rxcsum>(io_, Rxcsum::Ipofl(1), Rxcsum::Tuofl(1));
  write_raw<Rdtr>(io_, 0);
  write_raw<Radv>(io_, 0);
  // Each descriptor is written back at once: a poller waits for it.
  write_reg<Rxdctl>(io_, Rxdctl::Gran(1), Rxdctl::Wthresh(1));
  write_raw<Rdbal>(io_, low(queue_.rx_ring_iova()));
  write_raw<Rdbah>(io_, high(queue_.rx_ring_iova()));
  write_raw<Rdlen>(io_, ring_octets(queue_.slots().rx));
  write_raw<Rdh>(io_, 0);
  write_raw<Rdt>(io_, 0);
  write_reg<Rctl>(io_, Rctl::En(1), Rctl::Sbp(0), Rctl::Lbm(0), Rctl::Dtyp(0), Rctl::Mo(0), Rctl::Bam(1), Rctl::Dpf(1),
                  Rctl::Bsize(3), Rctl::Bsex(1), Rctl::Secrc(1));
  // Tail after enable, as the datasheet's §4.6 wants it.
  queue_.fill();
}

void E1000::start_transmit() {
  write_raw<Tdbal>(io_, low(queue_.tx_ring_iova()));
  write_raw<Tdbah>(io_, high(queue_.tx_ring_iova()));
  write_raw<Tdlen>(io_, ring_octets(queue_.slots().tx));
  write_raw<Tdh>(io_, 0);
  write_raw<Tdt>(io_, 0);
  write_raw<Tidv>(io_, 0);
  write_raw<Tadv>(io_, 0);
  modify<Txdctl>(io_, Txdctl::Gran(1), Txdctl::Wthresh(1));
  // DS §10.2.6: 8, 8 and 6 for copper.
  write_reg<Tipg>(io_, Tipg::Ipgt(8), Tipg::Ipgr1(8), Tipg::Ipgr2(6));
  // 16 attempts; a collision distance of 64 octets (CT counts from 0).
  modify<Tctl>(io_, Tctl::En(1), Tctl::Psp(1), Tctl::Ct(15), Tctl::Cold(63));
}

void E1000::start() {
  require_present();
  quiesce();
  reset();
  // The reset has loaded the address from NVM; kept in the state, since configure() overwrites the register.
  const std::uint32_t ral = read_reg<Ral>(io_, 0).raw();
  const std::uint32_t rah = read_reg<Rah>(io_, 0).get<Rah::Address>();
  initialise();
  queue_.format();
  queue_.set_family_word(std::uint64_t{rah} << 32 | ral);
  static_cast<void>(stats());  // reading clears what the previous driver counted
  stats_ = {};
  start_transmit();
  start_receive();
}

void E1000::adopt() {
  require_present();
  // Whoever began to stop it, with the receiver first, has emptied its rings' state, or was about to.
  if (read_reg<Rctl>(io_).get<Rctl::En>() == 0) {
    throw Error(EPROTO, {.what = "go on with the NIC",
                         .device = device_,
                         .why = "its last owner was stopping it",
                         .advice = "take the port afresh"});
  }
  queue_.adopt();
  for (std::uint32_t i = 0; i < kTableSize; ++i) {
    multicast_[i] = read_reg<Mta>(io_, i).raw();
    vlans_[i] = read_reg<Vfta>(io_, i).raw();
  }
}

void E1000::stop() noexcept {
  try {
    quiesce();
    modify<CtrlExt>(io_, CtrlExt::DrvLoad(0));
  } catch (const Error&) {
    // The device is gone, and its DMA with it.
  }
  queue_.drain();
}

void E1000::set_mac(const MacAddress& mac) {
  const std::uint32_t ral =
      mac[0] | std::uint32_t{mac[1]} << 8 | std::uint32_t{mac[2]} << 16 | std::uint32_t{mac[3]} << 24;
  const std::uint32_t rah = compose<Rah>(Rah::Address::from(mac[4] | std::uint32_t{mac[5]} << 8), Rah::Av(1));
  if (read_reg<Ral>(io_, 0).raw() == ral && read_reg<Rah>(io_, 0).raw() == rah) return;
  // Invalid while half written: never a third address.
  write_raw<Rah>(io_, 0, 0);
  write_raw<Ral>(io_, ral, 0);
  write_raw<Rah>(io_, rah, 0);
}

template <typename R>
void E1000::set_table(Table& current, const Table& wanted) {
  for (std::uint32_t i = 0; i < kTableSize; ++i) {
    if (current[i] != wanted[i]) write_raw<R>(io_, wanted[i], i);
  }
  current = wanted;
}

void E1000::configure(const NicConfig& config) {
  require_present();
  if (config.mtu > kMaxMtu) {
    throw Error(EINVAL, {.what = "set the MTU to " + std::to_string(config.mtu),
                         .device = device_,
                         .why = "the NIC carries " + std::to_string(kMaxMtu) + " octets at most",
                         .advice = {}});
  }
  Table groups{};
  for (const MacAddress& group : config.multicast) set_bit(groups, hash_of(group));
  Table vlans{};
  const std::size_t octets = std::min(config.vlan_bitmap.size(), kVlanOctets);
  for (std::size_t i = 0; i < octets; ++i) {
    vlans[i / 4] |= std::uint32_t{config.vlan_bitmap[i]} << (i % 4 * 8);
  }
  set_mac(config.mac);
  set_table<Mta>(multicast_, groups);
  // Ids before the switch: a VLAN that was let in stays so.
  set_table<Vfta>(vlans_, vlans);
  modify<Rctl>(io_, Rctl::Upe::from(config.promiscuous), Rctl::Mpe::from(config.promiscuous || config.all_multicast),
               Rctl::Vfe::from(config.vlan_filter), Rctl::Lpe::from(config.mtu > kStandardMtu));
}

MacAddress E1000::permanent_mac() const {
  const std::uint64_t word = queue_.family_word();
  MacAddress mac;
  for (std::size_t i = 0; i < mac.size(); ++i) mac[i] = static_cast<std::uint8_t>(word >> (8 * i));
  return mac;
}

LinkState E1000::link() noexcept {
  // Before the status: a change after it raises the interrupt again.
  write_reg<Icr>(io_, Icr::Lsc(1));
  const Value<Status> status = read_reg<Status>(io_);
  if (status.raw() == kAllOnes) return {};
  if (status.get<Status::Lu>() == 0) return {.status = LinkState::Status::kDown};
  constexpr std::array<std::uint32_t, 4> kMbps{10, 100, 1000, 1000};
  return {.status = LinkState::Status::kUp,
          .duplex = status.get<Status::Fd>() != 0 ? LinkState::Duplex::kFull : LinkState::Duplex::kHalf,
          .speed_mbps = kMbps[status.get<Status::Speed>()]};
}

NicStats E1000::stats() noexcept {
  const std::uint32_t rx_frames = read_reg<Gprc>(io_).raw();
  const std::uint32_t tx_frames = read_reg<Gptc>(io_).raw();
  // A gone device counts nothing more.
  if (rx_frames == kAllOnes && read_reg<Status>(io_).raw() == kAllOnes) return stats_;
  const std::uint64_t rx_low = read_reg<Gorcl>(io_).raw();
  const std::uint64_t rx_octets = std::uint64_t{read_reg<Gorch>(io_).raw()} << 32 | rx_low;
  const std::uint64_t tx_low = read_reg<Gotcl>(io_).raw();
  const std::uint64_t tx_octets = std::uint64_t{read_reg<Gotch>(io_).raw()} << 32 | tx_low;
  stats_.rx_frames += rx_frames;
  stats_.tx_frames += tx_frames;
  // A frame that arrives between the two reads is counted in the octets first: never below zero.
  stats_.rx_octets += rx_octets - std::min(rx_octets, kFcs * rx_frames);
  stats_.tx_octets += tx_octets - std::min(tx_octets, kFcs * tx_frames);
  stats_.rx_missed += read_reg<Mpc>(io_).raw();
  stats_.rx_errors += std::uint64_t{read_reg<Crcerrs>(io_).raw()} + read_reg<Algnerrc>(io_).raw() +
                      read_reg<Rxerrc>(io_).raw() + read_reg<Rlec>(io_).raw();
  return stats_;
}

void E1000::unmask_interrupt() noexcept {
  // Frames that were polled have left their cause behind; LSC stays until link() has looked.
  write_reg<Icr>(io_, Icr::Rxt0(1));
  write_reg<Ims>(io_, Ims::Rxt0(1), Ims::Lsc(1));
  irq_.unmask();
  // One that came before the cause was cleared would never raise it again.
  if (queue_.pending()) write_reg<Ics>(io_, Ics::Rxt0(1));
}

void E1000::mask_interrupt() noexcept { write_reg<Imc>(io_, Imc::Rxt0(1), Imc::Lsc(1)); }

std::uint32_t E1000::max_mtu() const noexcept { return kMaxMtu; }

}  // namespace udd
