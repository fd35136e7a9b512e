# SPDX-License-Identifier: Apache-2.0
# Guest library, sourced by test scripts (. /lab/case.sh): cases, checks, and the two-port network of the lab.
#
# Results go through the kernel's log, so that their order against kernel reports is exact:
#   LAB INIT|BEGIN|ANNOUNCE|PASS|FAIL|SKIP|STEP|END  suite.case  text
# A script's cases stand between case_begin and case_end; the next case_begin, or the script's end, closes an open one.

lab_line() { # KIND NAME [TEXT...]
	printf '<4>LAB %s\n' "$(printf '%s ' "$@" | tr '\n' ' ' | cut -c1-900)" >/dev/kmsg
}

# print what every blocked task waits for (without the words that would count as a report)
lab_blocked() {
	local d
	for d in /proc/[0-9]*; do
		case $(cut -d' ' -f3 $d/stat 2>/dev/null) in D) echo "blocked: $(cat $d/comm)"; cat $d/stack ;; esac
	done 2>/dev/null
}

# case_begin NAME [SECONDS]: what follows belongs to this case; it fails if not ended within the limit (times lab_slow, as all
# limits that scripts give: vm.py knows how slow this guest is)
case_begin() {
	[ -z "$lab_case" ] || case_end
	lab_case=$LAB_SUITE.$1 lab_result=PASS lab_reason=""
	local limit=$LAB_CASE_LIMIT
	[ -z "$2" ] || limit=$(($2 * lab_slow))
	lab_line BEGIN "$lab_case"
	echo "$lab_case" >>/run/lab/cases
	echo "$lab_case" >/run/lab/open
	( # the watch: ends the whole script, whose other cases are then missing and whose open case has failed
		trap 'kill $sleeper 2>/dev/null; exit' TERM
		sleep "$limit" & sleeper=$!
		wait $sleeper
		lab_line FAIL "$lab_case" "time limit of $limit s"
		lab_blocked
		rm -f /run/lab/open
		touch /run/lab/failed
		trap '' TERM
		kill -KILL -- -$$
	) </dev/null &
	lab_watch=$!
	disown $lab_watch
}

case_end() {
	[ -n "$lab_case" ] || return 0
	kill "$lab_watch" 2>/dev/null
	rm -f /run/lab/open
	[ $lab_result = FAIL ] && touch /run/lab/failed
	lab_line $lab_result "$lab_case" "$lab_reason"
	lab_case=""
}

# fail REASON...: the case has failed; the first reason is kept, the script goes on
fail() {
	echo "FAIL: $*"
	[ "$lab_result" = FAIL ] || lab_reason="$*"
	lab_result=FAIL
	return 1
}

# skip REASON...: the case can't run here
skip() {
	[ "$lab_result" = FAIL ] || { lab_result=SKIP; lab_reason="$*"; }
}

ok() { echo "ok: $*"; }

# check COMMAND...: the case fails unless the command succeeds (it runs in this shell)
check() {
	"$@" >/run/lab/check.out 2>&1 </dev/null
	local status=$?
	cat /run/lab/check.out
	[ $status = 0 ] ||
		fail "$* (line ${BASH_LINENO[0]}): status $status: $(tail -n 2 /run/lab/check.out)"
}

# refuse TEXT COMMAND...: the case fails unless the command fails and says TEXT (a pattern of grep -E)
refuse() {
	local text=$1 out
	shift
	if out=$("$@" 2>&1); then
		fail "$* (line ${BASH_LINENO[0]}) succeeded, expected it to be refused"
	elif ! grep -qE -- "$text" <<<"$out"; then
		fail "$* (line ${BASH_LINENO[0]}) was refused without saying '$text': $(tail -n 2 <<<"$out")"
	else
		printf 'refused as expected: %s\n' "$out"
	fi
}

# announce REGEX: kernel log lines of the running case that match are expected, not failures
announce() { lab_line ANNOUNCE "$lab_case" "$1"; }

# step TEXT...: a mark in the log
step() { lab_line STEP "${lab_case:--}" "$*"; }

now_us() { echo "${EPOCHREALTIME/./}"; }

# wait_for SECONDS COMMAND...: try a command every 100 ms until it succeeds; its failure is the caller's to check
wait_for() {
	local end=$(($(now_us) + $1 * 1000000 * lab_slow))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(now_us)" -lt $end ] || { echo "not within the time: $*"; return 1; }
		sleep 0.1
	done
}

# host COMMAND...: a command of the QEMU monitor, e.g. host set_link nic1 off; host device_del nic0
host() {
	[ -e /dev/ttyS1 ] || { echo "no line to the host"; return 1; }
	exec 9<>/dev/ttyS1
	stty -F /dev/ttyS1 raw -echo
	echo "$*" >&9
	local answer
	while IFS= read -r -t 10 answer <&9; do
		[ "$answer" = "lab:done" ] && { exec 9>&-; return 0; }
		echo "$answer"
	done
	exec 9>&-
	echo "the host doesn't answer"
	return 1
}

# far COMMAND...: run in the network namespace of the far side
far() { ip netns exec far "$@"; }

# netdev_of PCI_SLOT: name of the network device of 0000:00:SLOT.0 (03 is the first NIC), in this namespace
netdev_of() { ls /sys/bus/pci/devices/0000:00:"$1".0/net 2>/dev/null | head -n 1; }

carrier() { [ "$(cat /sys/class/net/"$1"/carrier 2>/dev/null)" = 1 ]; }

# setup_far [DEV [ADDR/LEN]]: move DEV (eth1) to namespace far, give it the address (10.0.0.2/24) and bring it up
setup_far() {
	local dev=${1:-eth1} addr=${2:-10.0.0.2/24}
	ip netns list | grep -qw far || ip netns add far
	far ip link set lo up
	ip link set "$dev" netns far && far ip addr add "$addr" dev "$dev" && far ip link set "$dev" up
}

# start_udev: the real systemd-udevd with Debian's rules for network devices (eth0 becomes enp0s3)
start_udev() {
	mkdir -p /run/udev
	"$(command -v systemd-udevd || echo /usr/lib/systemd/systemd-udevd)" --daemon &&
		udevadm trigger --action=add --subsystem-match=net && udevadm settle --timeout=20
}

trap 'lab_status=$?; if [ -n "$lab_case" ]; then
	[ $lab_status = 0 ] || fail "the script ended within the case, status $lab_status"
	case_end
fi' EXIT
