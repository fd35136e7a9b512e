#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# How long the way back takes, by phase, beside what the in-kernel driver needs by itself in the same boot. Printed, not
# judged: time in an emulated machine is the host's.
. /lab/ndd.sh
ROUNDS=${ROUNDS:-9}

now_us() { echo $(($(date +%s%N) / 1000)); }
median() { sort -n | sed -n "$(((ROUNDS + 1) / 2))p"; }
phase() { sed -n "s/^$1 //p" /run/lab/phases; }

case_begin driver_alone 120
setup_far
check ip link set eth0 up
check wait_for 10 carrier eth0
for ((i = 0; i < ROUNDS; i++)); do
	echo $PORT >/sys/bus/pci/drivers/e1000e/unbind
	t0=$(now_us)
	echo $PORT >/sys/bus/pci/drivers/e1000e/bind
	t1=$(now_us)
	ip link set eth0 up
	t2=$(now_us)
	until read -r c </sys/class/net/eth0/carrier && [ "$c" = 1 ]; do :; done 2>/dev/null
	t3=$(now_us)
	echo $((t1 - t0)) >>/run/lab/own_bind
	echo $((t2 - t1)) >>/run/lab/own_up
	echo $((t3 - t2)) >>/run/lab/own_link
	echo $((t3 - t0)) >>/run/lab/own
done
own=$(median </run/lab/own)
step "driver alone, median of $ROUNDS: bind $(median </run/lab/own_bind) us, open $(median </run/lab/own_up) us," \
	"link $(median </run/lab/own_link) us, together $own us"
check ip link set eth0 down
case_end

case_begin take_and_restore 240
create_ndd0
for ((i = 0; i < ROUNDS; i++)); do
	hold ./holder take $PORT
	t0=$(now_us)
	kill -9 $holder
	back
	tr -d '\r' </sys/class/net/ndd0/ndd/phases >/run/lab/phases
	noticed=$(phase end_noticed)
	echo $((($(phase take_attached) - $(phase take_begin)) / 1000)) >>/run/lab/take
	echo $(((noticed - $(phase take_opened)) / 1000)) >>/run/lab/held
	echo $((($(phase end_quiesced) - noticed) / 1000)) >>/run/lab/quiesce
	echo $((($(phase end_probed) - $(phase end_quiesced)) / 1000)) >>/run/lab/probe
	echo $((($(phase end_up) - $(phase end_probed)) / 1000)) >>/run/lab/up
	echo $((($(phase end_link) - $(phase end_up)) / 1000)) >>/run/lab/link
	echo $((($(phase end_link) - noticed) / 1000)) >>/run/lab/all
done
all=$(median </run/lab/all)
step "take until VFIO is bound, median of $ROUNDS: $(median </run/lab/take) us"
step "death noticed to quiesced $(median </run/lab/quiesce) us, bound $(median </run/lab/probe) us," \
	"open $(median </run/lab/up) us, link $(median </run/lab/link) us, together $all us:" \
	"$((all * 100 / own)) % of the driver alone"
case_end
