#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh PROGRAM CORPUS SECONDS LEAST [OPTION...]: what once was a finding, then a search of that many seconds, which must get
# to LEAST executions. A finding is kept in the test's outputs; libFuzzer's own last lines are the figures.
set -euo pipefail
program=$1 corpus=$2 seconds=$3 least=$4
shift 4
found=${TEST_UNDECLARED_OUTPUTS_DIR:-$(mktemp -d)}
export ASAN_OPTIONS=halt_on_error=1:detect_stack_use_after_return=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
grep -qaF __asan_init "$program" || { echo "FAIL: $program is not instrumented"; exit 1; }

known=()
[ ! -d "$corpus" ] || mapfile -t known < <(find -L "$corpus" -type f | sort)
search=$(mktemp -d "${TEST_TMPDIR:-/tmp}/corpus.XXXXXX")
log=$search.log

# runs WHAT ARGUMENT...: the program, which finds nothing
runs() {
	local what=$1
	shift
	"$program" "$@" >"$log" 2>&1 && return
	tail -n 60 "$log"
	echo "FAIL: $what"
	exit 1
}

if [ ${#known[@]} != 0 ]; then
	runs "what was a finding once is one again" "${known[@]}"
	cp -L "${known[@]}" "$search"
fi
runs "a finding; the input is in the test's outputs (outputs.zip)" -max_total_time="$seconds" -max_len=2048 -len_control=0 \
	-rss_limit_mb=4096 -timeout=20 -print_final_stats=1 -artifact_prefix="$found/" "$@" "$search"
executions=$(awk '/^stat::number_of_executed_units:/ { print $2 }' "$log")
grep -E '^#[0-9]+\s+DONE' "$log"
echo "fuzz: $executions executions in $seconds s, ${#known[@]} known inputs, $(find "$search" -type f | wc -l) kept for coverage"
[ "$executions" -ge "$least" ] || { echo "FAIL: fewer than $least executions"; exit 1; }
