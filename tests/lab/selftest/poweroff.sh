#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A case that ends the guest before its end line; must be reported as failed.
. /lab/case.sh
case_begin poweroff
poweroff -f
sleep 5
case_end
