#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The campaign of the long tier: every system call, 100 random moments, 20 faults of each class.
ROUNDS=100 EVERY=1 EACH=20
. /lab/campaign.sh
