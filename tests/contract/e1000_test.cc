// SPDX-License-Identifier: Apache-2.0
// The contract suite on two 82574Ls in a guest, both taken by the UAPI.
#include "tests/contract/e1000_rig.h"
#include "tests/contract/nic_contract.h"
#include "tests/contract/offload_contract.h"
#include "tests/contract/taken_port.h"

namespace udd::contract {
namespace {

using Rig = ::testing::Types<E1000Rig<TakenPort>>;
INSTANTIATE_TYPED_TEST_SUITE_P(E1000, NicContract, Rig);
INSTANTIATE_TYPED_TEST_SUITE_P(E1000, NicOffloadContract, Rig);

}  // namespace
}  // namespace udd::contract
