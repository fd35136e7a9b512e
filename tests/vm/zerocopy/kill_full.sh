#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The kill.sh of the long tier: 100 rounds.
ROUNDS=100 PAGES=600
. /lab/kill.sh
