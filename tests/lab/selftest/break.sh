# SPDX-License-Identifier: Apache-2.0
# Sourced by the self-test's scripts that have labbreak.ko break the kernel.
. /lab/case.sh
now=/sys/module/labbreak/parameters/now

# broken NAME KIND: cause it in a process of its own, which may not survive
broken() {
	case_begin "$1" 60
	bash -c "echo $2 >$now" 2>/dev/null
	case_end
}
