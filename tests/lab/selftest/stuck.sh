#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A case within its own limit, in a guest that is not; must be reported as failed.
. /lab/case.sh
case_begin stuck 3600
sleep 3600
case_end
