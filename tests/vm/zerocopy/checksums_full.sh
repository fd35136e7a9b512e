#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The checksums.sh of the long tier: every MTU with every kind of address, for longer.
SECONDS_EACH=5 EVERY_HOST=yes
. /lab/checksums.sh
