#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# build.sh SOURCE OUT: build the debug kernel from Debian's source archive (linux-source-*.tar.xz) into OUT, which then has what
# the lab and kernel_modules() want of a kernel: boot/vmlinuz-R, lib/modules/R, headers/ to build modules against, release,
# sha256. Called by third_party/setup, which keeps OUT in the cache; takes a quarter of an hour on two processors to itself.
# Interrupted, it leaves OUT.build, and the next run goes on from there.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source=$1 out=$2

# beside OUT, so that what is complete is moved and never half there
tree=$out.build/linux root=$out.build/root
if [ ! -e "$tree" ]; then
	rm -rf "$out.build"
	mkdir -p "$tree.part"
	tar -xJf "$source" -C "$tree.part" --strip-components=1
	mv "$tree.part" "$tree"
fi
rm -rf "$root"
mkdir -p "$root/boot"

# the same source and configuration give the same image, whoever builds
KBUILD_BUILD_TIMESTAMP=$(date -u -d "@$(stat -c %Y "$tree/Makefile")")
export KBUILD_BUILD_TIMESTAMP KBUILD_BUILD_USER=udd KBUILD_BUILD_HOST=lab LC_ALL=C
kmake() { nice -n 5 make -s -C "$tree" -j"$(nproc)" "$@"; }

kmake KCONFIG_ALLCONFIG="$here/config" allnoconfig >/dev/null
# a line that an unmet dependency swallows would be a check that silently isn't there
if lost=$(grep -E '^(CONFIG_|# CONFIG_.* is not set)' "$here/config" | grep -vxFf "$tree/.config"); then
	printf 'build.sh: did not come true:\n%s\n' "$lost" >&2
	exit 1
fi
kmake bzImage modules

release=$(cat "$tree/include/config/kernel.release")
cp "$tree/arch/x86/boot/bzImage" "$root/boot/vmlinuz-$release"
cp "$tree/.config" "$root/boot/config-$release"
cp "$tree/System.map" "$root/boot/System.map-$release"
kmake INSTALL_MOD_PATH="$root" DEPMOD=true modules_install >/dev/null
rm -f "$root/lib/modules/$release/build"
kmake run-command KBUILD_RUN_COMMAND="scripts/package/install-extmod-build $root/headers" >/dev/null
echo "$release" >"$root/release"
sum=$(sha256sum "$root/boot/vmlinuz-$release")
echo "${sum%% *}" >"$root/sha256"
rm -rf "$out"
mv "$root" "$out"
rm -rf "$out.build"
