#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A case that panics the kernel; must be reported as failed.
. /lab/case.sh
case_begin panic
echo panic >/sys/module/labbreak/parameters/now
sleep 5
case_end
