#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The random faults of the long tier: half an hour.
TIME=1800
. /lab/faults.sh
