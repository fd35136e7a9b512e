#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Puts a stable netdev on either NIC, so that both can be taken.
. /lab/case.sh

case_begin ports
for i in 0 1; do
	check ip link set eth$i up
	check wait_for 15 carrier eth$i
	check ip link add link eth$i name ndd$i type ndd
	check ip link set ndd$i up
	check test -c /dev/ndd/0000:00:0$((3 + i)).0
done
case_end
