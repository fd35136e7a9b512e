#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# fresh [--keep] [COMMAND...]: makes a bare bookworm root, clones the committed project into it and nothing else, and runs the
# README's two commands there (or the COMMANDs given). The last line says how it went, of which commit, and when.
# The root becomes the / of a mount and process namespace of its own: in a mere chroot bazel couldn't make its sandbox.
set -euo pipefail
keep=""
[ "${1:-}" = --keep ] && keep=1 && shift
[ $# -gt 0 ] || set -- "./bazelw run //examples:demo" "./bazelw test //..."
project=$(dirname "$(readlink -f WORKSPACE)")
commit=$(git -C "$project" rev-parse --short=12 HEAD)
work=$(mktemp -d "${UDD_FRESH_DIR:-/var/tmp}/udd-fresh.XXXXXX")
root=$work/root
log=$work/log

finish() {
	local status=$?
	local result=passed
	[ $status = 0 ] || result="FAILED (status $status; log: $log)"
	[ -n "$keep" ] || rm -rf --one-file-system "$root"
	[ $status != 0 ] || [ -n "$keep" ] || rm -rf "$work"
	echo "fresh: $result, commit $commit, $(date -u +%FT%TZ)${cases:+, $cases}"
}
trap finish EXIT

[ "$(id -u)" = 0 ] || { echo "fresh: needs root (mounts, and a Debian root)"; exit 1; }
# where this machine gets bookworm from, without backports: bazelw is to find those by itself
apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Identifier: Packages' |
	grep -E ' (bookworm|bookworm-updates|bookworm-security|stable-security) ' | sort -u >"$work/sources.list"
eval "$(apt-config shell proxy Acquire::http::Proxy)"
echo "fresh: a bare bookworm in $root"
mmdebstrap --quiet --variant=minbase ${proxy:+--aptopt="Acquire::http::Proxy \"$proxy\";"} bookworm "$root" "$work/sources.list"
git -c safe.directory='*' clone --quiet --no-local "$project" "$root/root/udd"
git -C "$root/root/udd" remote remove origin

# run COMMAND in the new root, as the first login of somebody who has just cloned
inside() {
	unshare --mount --pid --fork --kill-child bash -euc '
		root=$1
		mount --make-rprivate /
		mount --bind "$root" "$root"
		mount --rbind /dev "$root/dev"
		mount -t proc proc "$root/proc"
		mount --rbind /sys "$root/sys"
		mkdir -p "$root/old"
		cd "$root"
		pivot_root . old
		umount -l old
		exec chroot . env -i HOME=/root TERM="$TERM" LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
			bash -c "cd /root/udd && $2"
	' inside "$root" "$1"
}

for command in "$@"; do
	echo "fresh: $command"
	TERM=${TERM:-dumb} inside "$command" 2>&1 | tee -a "$log"
	cases=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$log" | tail -n 1) || true
done
