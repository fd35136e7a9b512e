#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The campaign of the long tier: every system call, 100 random moments, 200 cycles whose memory must be flat.
ROUNDS=100 CYCLES=200 EVERY=1
. /lab/campaign.sh
