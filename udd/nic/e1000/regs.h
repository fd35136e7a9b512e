// SPDX-License-Identifier: Apache-2.0
// Registers of Intel's e1000 NICs, as far as the driver uses them. Sources: Intel 82574 GbE Controller Family
// Datasheet, rev. 3.4, chapter 10 "Driver Programming Interface" (DS below); 82574 Specification Update (errata).
// Offsets in BAR 0.
#pragma once

#include <cstdint>

#include "udd/mmio/reg.h"

namespace udd::e1000 {

/// Octets of BAR 0 that the registers lie in (DS ch. 10: 128 KiB).
inline constexpr std::uint32_t kBarSize = 0x20000;

// DS §10.2.2, general registers.

struct Ctrl : Reg<0x00000, Access::kReadWrite> {  // device control
  using GioMasterDisable = Field<2, 2>;           // no new PCIe requests
  using Slu = Field<6, 6>;                        // set link up: MAC follows the PHY
  using FrcSpd = Field<11, 11>;                   // force speed
  using FrcDplx = Field<12, 12>;                  // force duplex
  using Rst = Field<26, 26>;                      // reset the MAC, not the PHY; clears itself
  using Rfce = Field<27, 27>;                     // obey received PAUSE frames
  using Tfce = Field<28, 28>;                     // send PAUSE frames
  using Errata29 = Field<29, 29>;                 // reserved, must be 0 on the 82574
};

struct Status : Reg<0x00008, Access::kReadOnly> {  // device status
  using Fd = Field<0, 0>;                          // full duplex
  using Lu = Field<1, 1>;                          // link up
  using Speed = Field<7, 6>;                       // 0: 10, 1: 100, 2 and 3: 1000 Mb/s
  using GioMaster = Field<19, 19>;                 // PCIe requests may be outstanding
};

struct Eec : Reg<0x00010, Access::kReadWrite> {  // EEPROM control
  using AutoRd = Field<9, 9>;                    // configuration has been read from NVM after a reset
};

struct CtrlExt : Reg<0x00018, Access::kReadWrite> {  // extended device control
  using Errata22 = Field<22, 22>;                    // reserved, must be 1 on the 82574
  using Errata23 = Field<23, 23>;                    // reserved, must be 0 on the 82574
  using Eiame = Field<24, 24>;                       // mask by IAM when an MSI-X is sent
  using Iame = Field<27, 27>;                        // mask by IAM when ICR is read or written
  using DrvLoad = Field<28, 28>;                     // tells the management firmware that a driver is there
};

struct Vet : Reg<0x00038, Access::kReadWrite> {  // VLAN EtherType
  using Type = Field<15, 0>;
};

struct ExtCnfCtrl : Reg<0x00F00, Access::kReadWrite> {  // extended configuration control
  using MdioSwOwnership = Field<5, 5>;                  // software has the MDIO bus; a reset needs it
};

// DS §10.2.3, PCIe registers. Both bits after the specification update.

struct Gcr : Reg<0x05B00, Access::kReadWrite> {  // PCIe control
  using Errata22 = Field<22, 22>;                // completions: must be 1
};

struct Gcr2 : Reg<0x05B64, Access::kReadWrite> {  // PCIe control 2
  using Errata0 = Field<0, 0>;                    // completions under ASPM: must be 1
};

// DS §10.2.4, interrupt registers.

/// Causes, the same bits in ICR, ICS, IMS and IMC.
template <std::uint32_t Offset, Access Mode>
struct Causes : Reg<Offset, Mode> {
  using Lsc = typename Reg<Offset, Mode>::template Field<2, 2>;   // link status change
  using Rxt0 = typename Reg<Offset, Mode>::template Field<7, 7>;  // a frame was received
};
using Icr = Causes<0x000C0, Access::kReadWrite>;  // cause; cleared by reading or by writing ones
using Ics = Causes<0x000C8, Access::kWriteOnly>;  // cause set
using Ims = Causes<0x000D0, Access::kReadWrite>;  // mask set: lets these through
using Imc = Causes<0x000D8, Access::kWriteOnly>;  // mask clear

struct Itr : Reg<0x000C4, Access::kReadWrite> {};   // pause between interrupts, 256 ns each
struct Eiac : Reg<0x000DC, Access::kReadWrite> {};  // MSI-X auto clear
struct Iam : Reg<0x000E0, Access::kReadWrite> {};   // auto mask

// DS §10.2.5, receive registers.

struct Rctl : Reg<0x00100, Access::kReadWrite> {  // receive control
  using En = Field<1, 1>;                         // receiver on
  using Sbp = Field<2, 2>;                        // store bad packets
  using Upe = Field<3, 3>;                        // unicast promiscuous
  using Mpe = Field<4, 4>;                        // multicast promiscuous
  using Lpe = Field<5, 5>;                        // frames above 1522 octets
  using Lbm = Field<7, 6>;                        // loopback, 0: none
  using Dtyp = Field<11, 10>;                     // descriptor type, 0: legacy or extended, by RFCTL
  using Mo = Field<13, 12>;                       // multicast hash: 0: address bits 47:36
  using Bam = Field<15, 15>;                      // accept broadcast
  using Bsize = Field<17, 16>;                    // with BSEX: 3: 4096 octets
  using Vfe = Field<18, 18>;                      // VLAN filter
  using Dpf = Field<22, 22>;                      // discard PAUSE frames
  using Bsex = Field<25, 25>;                     // buffer size extension
  using Secrc = Field<26, 26>;                    // strip the FCS
};

struct Rdbal : Reg<0x02800, Access::kReadWrite> {};  // ring address, low half
struct Rdbah : Reg<0x02804, Access::kReadWrite> {};
struct Rdlen : Reg<0x02808, Access::kReadWrite> {};  // octets, a multiple of 128
struct Rdh : Reg<0x02810, Access::kReadWrite> {};
struct Rdt : Reg<0x02818, Access::kReadWrite> {};
struct Rdtr : Reg<0x02820, Access::kReadWrite> {};  // interrupt delay
struct Rxdctl : Reg<0x02828, Access::kReadWrite> {  // descriptor control
  using Wthresh = Field<21, 16>;                    // write back after this many
  using Gran = Field<24, 24>;                       // thresholds are in descriptors
};
struct Radv : Reg<0x0282C, Access::kReadWrite> {};  // absolute interrupt delay
struct Rxcsum : Reg<0x05000, Access::kReadWrite> {  // checksum offload
  using Ipofl = Field<8, 8>;                        // check that of IPv4
  using Tuofl = Field<9, 9>;                        // check those of TCP and UDP
};
struct Rfctl : Reg<0x05008, Access::kReadWrite> {  // receive filter control
  using Exten = Field<15, 15>;                     // extended descriptors
};
struct Mrqc : Reg<0x05818, Access::kReadWrite> {};        // multiple queues, 0: one
struct Mta : Reg<0x05200, Access::kReadWrite, 128> {};    // multicast hash table
struct Ral : Reg<0x05400, Access::kReadWrite, 16, 8> {};  // own address, octets 0 to 3
struct Rah : Reg<0x05404, Access::kReadWrite, 16, 8> {    // own address, octets 4 and 5
  using Address = Field<15, 0>;
  using Av = Field<31, 31>;  // valid
};
struct Vfta : Reg<0x05600, Access::kReadWrite, 128> {};  // VLAN ids, one bit each

// DS §10.2.6, transmit registers.

struct Tctl : Reg<0x00400, Access::kReadWrite> {  // transmit control
  using En = Field<1, 1>;                         // transmitter on
  using Psp = Field<3, 3>;                        // pad short frames
  using Ct = Field<11, 4>;                        // attempts after collisions
  using Cold = Field<21, 12>;                     // collision distance, octets
};

struct Tipg : Reg<0x00410, Access::kReadWrite> {  // gap between frames
  using Ipgt = Field<9, 0>;
  using Ipgr1 = Field<19, 10>;
  using Ipgr2 = Field<29, 20>;
};

struct Tdbal : Reg<0x03800, Access::kReadWrite> {};  // ring address, low half
struct Tdbah : Reg<0x03804, Access::kReadWrite> {};
struct Tdlen : Reg<0x03808, Access::kReadWrite> {};  // octets, a multiple of 128
struct Tdh : Reg<0x03810, Access::kReadWrite> {};
struct Tdt : Reg<0x03818, Access::kReadWrite> {};
struct Tidv : Reg<0x03820, Access::kReadWrite> {};  // interrupt delay
struct Txdctl : Reg<0x03828, Access::kReadWrite> {  // descriptor control
  using Wthresh = Field<21, 16>;                    // write back after this many
  using Errata22 = Field<22, 22>;                   // reserved, must be 1
  using Gran = Field<24, 24>;                       // thresholds are in descriptors
};
struct Tadv : Reg<0x0382C, Access::kReadWrite> {};  // absolute interrupt delay
struct Tarc0 : Reg<0x03840, Access::kReadWrite> {   // transmit arbitration
  using Errata26 = Field<26, 26>;                   // reserved, must be 1 on the 82574
  using Errata30To27 = Field<30, 27>;               // reserved, must be 0
};

// DS §10.2.7, statistics; each is cleared by reading it.

struct Crcerrs : Reg<0x04000, Access::kReadClear> {};   // bad FCS
struct Algnerrc : Reg<0x04004, Access::kReadClear> {};  // alignment error
struct Rxerrc : Reg<0x0400C, Access::kReadClear> {};    // error told by the PHY
struct Mpc : Reg<0x04010, Access::kReadClear> {};       // missed: FIFO full for want of descriptors
struct Rlec : Reg<0x04040, Access::kReadClear> {};      // too short or too long
struct Gprc : Reg<0x04074, Access::kReadClear> {};      // good frames received
struct Gptc : Reg<0x04080, Access::kReadClear> {};      // good frames sent
struct Gorcl : Reg<0x04088, Access::kReadClear> {};     // good octets received, FCS included; low half first
struct Gorch : Reg<0x0408C, Access::kReadClear> {};     // reading it clears both
struct Gotcl : Reg<0x04090, Access::kReadClear> {};     // good octets sent
struct Gotch : Reg<0x04094, Access::kReadClear> {};

/// Calls visit.template operator()<R>(name) for every register above; for the table test and for dumps.
template <typename Visitor>
void for_each_register(Visitor&& visit) {
  visit.template operator()<Ctrl>("CTRL");
  visit.template operator()<Status>("STATUS");
  visit.template operator()<Eec>("EEC");
  visit.template operator()<CtrlExt>("CTRL_EXT");
  visit.template operator()<Vet>("VET");
  visit.template operator()<ExtCnfCtrl>("EXTCNF_CTRL");
  visit.template operator()<Gcr>("GCR");
  visit.template operator()<Gcr2>("GCR2");
  visit.template operator()<Icr>("ICR");
  visit.template operator()<Ics>("ICS");
  visit.template operator()<Ims>("IMS");
  visit.template operator()<Imc>("IMC");
  visit.template operator()<Itr>("ITR");
  visit.template operator()<Eiac>("EIAC");
  visit.template operator()<Iam>("IAM");
  visit.template operator()<Rctl>("RCTL");
  visit.template operator()<Rdbal>("RDBAL");
  visit.template operator()<Rdbah>("RDBAH");
  visit.template operator()<Rdlen>("RDLEN");
  visit.template operator()<Rdh>("RDH");
  visit.template operator()<Rdt>("RDT");
  visit.template operator()<Rdtr>("RDTR");
  visit.template operator()<Rxdctl>("RXDCTL");
  visit.template operator()<Radv>("RADV");
  visit.template operator()<Rxcsum>("RXCSUM");
  visit.template operator()<Rfctl>("RFCTL");
  visit.template operator()<Mrqc>("MRQC");
  visit.template operator()<Mta>("MTA");
  visit.template operator()<Ral>("RAL");
  visit.template operator()<Rah>("RAH");
  visit.template operator()<Vfta>("VFTA");
  visit.template operator()<Tctl>("TCTL");
  visit.template operator()<Tipg>("TIPG");
  visit.template operator()<Tdbal>("TDBAL");
  visit.template operator()<Tdbah>("TDBAH");
  visit.template operator()<Tdlen>("TDLEN");
  visit.template operator()<Tdh>("TDH");
  visit.template operator()<Tdt>("TDT");
  visit.template operator()<Tidv>("TIDV");
  visit.template operator()<Txdctl>("TXDCTL");
  visit.template operator()<Tadv>("TADV");
  visit.template operator()<Tarc0>("TARC0");
  visit.template operator()<Crcerrs>("CRCERRS");
  visit.template operator()<Algnerrc>("ALGNERRC");
  visit.template operator()<Rxerrc>("RXERRC");
  visit.template operator()<Mpc>("MPC");
  visit.template operator()<Rlec>("RLEC");
  visit.template operator()<Gprc>("GPRC");
  visit.template operator()<Gptc>("GPTC");
  visit.template operator()<Gorcl>("GORCL");
  visit.template operator()<Gorch>("GORCH");
  visit.template operator()<Gotcl>("GOTCL");
  visit.template operator()<Gotch>("GOTCH");
}

}  // namespace udd::e1000
