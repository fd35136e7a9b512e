#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The short tier's signal pairs (pairs.sh): the library beside kernel UDP and DPDK, small messages.
. /lab/pairs.sh

path_udp "1 32" 50
path_udd "1 32" 50
path_dpdk "1 32" 50
