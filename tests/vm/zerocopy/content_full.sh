#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The content.sh of the long tier: longer streams.
OCTETS=10000000
. /lab/content.sh
