// SPDX-License-Identifier: Apache-2.0
// The contract suite on two 82574Ls in a guest, both taken by the UAPI.
#include "tests/contract/e1000_rig.h"
#include "tests/contract/nic_contract.h"
#include "tests/contract/taken_port.h"

namespace udd::contract {
namespace {

INSTANTIATE_TYPED_TEST_SUITE_P(E1000, NicContract, ::testing::Types<E1000Rig<TakenPort>>);

}  // namespace
}  // namespace udd::contract
