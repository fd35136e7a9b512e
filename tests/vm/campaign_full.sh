#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The campaign of the long tier: every system call, 100 random moments.
ROUNDS=100 EVERY=1
. /lab/campaign.sh
