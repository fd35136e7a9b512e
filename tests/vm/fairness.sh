#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The application and the kernel both send as much as the port takes, for 5 s: each gets at least 30 % of the frames.
. /lab/vm.sh

case_begin both_saturated
create_ndd0
start_app flooding ./flood ndd0 $FAR_MAC
# A CPU for the application and two for senders, of which one alone can't fill its share: what is measured is the
# share of the port, not of the CPUs.
senders=""
for cpu in 1 2; do
	taskset -c $cpu ./frames ndd0 $FAR_MAC 0x9999 60 10000000 &
	senders="$senders $!"
done
sleep 1
requeues() { tc -s qdisc show dev ndd0 | sed -n 's/.*requeues \([0-9]*\)).*/\1/p' | head -n 1; }
requeues_before=$(requeues) app_before=$(stat_of nic_app_tx_frames) kernel_before=$(stat_of ktx_frames) wakeups=$(stat_of ktx_wakeups) start=$(now_us)
sleep 5
app_after=$(stat_of nic_app_tx_frames) kernel_after=$(stat_of ktx_frames) end=$(now_us)
step "the kernel's frames had to wait $(($(requeues) - requeues_before)) times and woke the process" \
	"$(($(stat_of ktx_wakeups) - wakeups)) times; backup thread served $(stat_of nic_backup_services)"
kill $senders
of_app=$((app_after - app_before)) of_kernel=$((kernel_after - kernel_before))
step "in $(((end - start) / 1000)) ms: application $of_app frames, kernel $of_kernel:" \
	"$((of_app * 100 / (of_app + of_kernel))) % and $((of_kernel * 100 / (of_app + of_kernel))) %"
check [ $((of_app * 100)) -ge $(((of_app + of_kernel) * 30)) ]
# on the debug kernel its senders can't fill a share: that they get on is all there is to see
least=30
[ -z "$lab_debug" ] || least=1
check [ $((of_kernel * 100)) -ge $(((of_app + of_kernel) * least)) ]
kill -TERM $app
back
cat $APP_OUT
case_end
