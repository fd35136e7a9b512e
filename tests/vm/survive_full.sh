#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# survive of the long tier: the same connections through 20 cycles.
CYCLES=20
. /lab/survive.sh
