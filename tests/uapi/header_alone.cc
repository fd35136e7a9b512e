// SPDX-License-Identifier: Apache-2.0
// ndd.h compiles by itself, as strict C++; and is laid out as its comments promise.
#include <linux/ndd.h>

#include <cstddef>
#include <type_traits>

// Natural alignment, explicit padding, sizes in multiples of 8: the same for 32-bit processes.
template <typename T>
constexpr bool kWire = sizeof(T) % 8 == 0 && std::is_trivially_copyable_v<T> && std::is_standard_layout_v<T>;

static_assert(kWire<ndd_info> && kWire<ndd_watch> && kWire<ndd_take> && kWire<ndd_event> && kWire<ndd_link>);
static_assert(kWire<ndd_ring_layout> && kWire<ndd_ctrl> && kWire<ndd_health> && kWire<ndd_config>);
static_assert(kWire<ndd_stats> && kWire<ndd_desc>);

// Each writer of ndd_health has cache lines of its own.
static_assert(offsetof(ndd_health, mode) == 64 && sizeof(ndd_health) == 128);

int main() { return 0; }
