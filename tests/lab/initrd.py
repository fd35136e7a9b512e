#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds the guest's root file system as a cpio archive: host tools with their shared libraries, kernel modules, files.

The lab boots two archives one after the other (the kernel unpacks both): a *base*, the same for every guest of one kernel
and therefore kept, and a small *overlay* with what one run adds. Neither is compressed: QEMU loads faster than an emulated
CPU unpacks. Run as a program it writes a base:  initrd.py --kernel-root DIR --version V --out FILE
"""

import argparse
import functools
import lzma
import os
import re
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

# Host programs that every guest has; what is not installed here is left out of the guest as well.
TOOLS = """bash ip tc bridge ethtool tcpdump iperf3 ping arping socat strace ss nft nstat sysctl kmod env date timeout sleep stat
ps pgrep pkill dd nproc taskset chrt setpriv prlimit unshare nsenter stdbuf mount umount lspci systemd-udevd udevadm getcap setcap""".split()

# Modules that a guest can load (with all they depend on); modprobe finds them as on an installed system.
MODULES = """e1000 e1000e igb igbvf ixgbe virtio_net virtio_pci vmxnet3 8139cp 8139too e100 tulip vfio vfio_iommu_type1 vfio_pci
vfio_pci_core veth bridge br_netfilter 8021q macvlan macvtap ipvlan dummy tun vxlan bonding team ifb net_failover af_packet
af_packet_diag inet_diag tcp_diag udp_diag sch_fq sch_fq_codel sch_netem sch_ingress sch_tbf sch_htb sch_prio sch_mqprio
cls_u32 cls_flower cls_matchall cls_bpf act_mirred act_gact act_pedit act_police nf_tables nft_chain_nat nft_nat nft_masq nf_conntrack ip_tables
iptable_filter ip6_tables ip6table_filter tls pktgen vhost_net ptp configfs xfrm_user esp4 ah4 netconsole crc32c_generic
crc32c_intel crct10dif_pclmul ipv6 softdog""".split()

LINKS = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}
DIRS = "proc sys dev run tmp var/log var/tmp root mnt etc/network lab usr/bin usr/sbin usr/lib usr/lib64".split()
ETC = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\nuser:x:1000:1000:user:/tmp:/bin/bash\n",
    "etc/group": "root:x:0:\ntty:x:5:\nkmem:x:15:\ninput:x:101:\nkvm:x:102:\nrender:x:103:\ndisk:x:6:\nlp:x:7:\ndialout:x:20:\n"
                 "audio:x:29:\nvideo:x:44:\ncdrom:x:24:\ntape:x:26:\nsgx:x:104:\nuser:x:1000:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    "etc/hosts": "127.0.0.1 localhost\n",
}


class Image:
    """A tree of files in memory, by guest path, that can be written as a newc cpio archive."""

    def __init__(self, known=()):
        self.entries = {}          # guest path -> (mode, data)
        self.known = set(known)    # paths that the base already has

    @staticmethod
    def normal(path):
        """The guest path with /bin, /lib, … replaced by what they link to."""
        parts = str(path).strip("/").split("/")
        if len(parts) > 1 and parts[0] in LINKS:
            parts[0] = LINKS[parts[0]]
        return "/".join(parts)

    def directory(self, path):
        path = self.normal(path)
        while path:
            if path not in self.entries:
                self.entries[path] = (stat.S_IFDIR | 0o755, b"")
            path = path.rpartition("/")[0]

    def put(self, path, data, mode=0o644):
        path = self.normal(path)
        self.directory(path.rpartition("/")[0])
        self.entries[path] = (stat.S_IFREG | mode, data.encode() if isinstance(data, str) else data)

    def link(self, path, target):
        path = self.normal(path)
        self.directory(path.rpartition("/")[0])
        self.entries[path] = (stat.S_IFLNK | 0o777, target.encode())

    def file(self, host, guest):
        host = Path(host)
        self.put(guest, host.read_bytes(), stat.S_IMODE(host.stat().st_mode) | 0o444)

    def program(self, host, guest):
        """An executable and the shared libraries it needs."""
        self.file(host, guest)
        for library in libraries(os.path.realpath(host)):
            if self.normal(library) not in self.known and self.normal(library) not in self.entries:
                self.put(library, Path(library).read_bytes(), 0o755)

    def write(self, out):
        """Write the archive; directories come before what is in them because names are sorted."""
        with open(out, "wb") as f:
            for inode, (name, (mode, data)) in enumerate(sorted(self.entries.items()), 1):
                if name:
                    f.write(record(inode, name, mode, data))
            f.write(record(0, "TRAILER!!!", 0, b""))
            f.write(bytes(-f.tell() % 512))


def record(inode, name, mode, data):
    """One cpio entry in the "newc" format."""
    fields = [inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
    head = b"070701" + b"".join(b"%08X" % v for v in fields) + name.encode() + b"\0"
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)


@functools.lru_cache(maxsize=None)
def libraries(program):
    """Paths of the shared libraries, interpreter included, that ldd finds for a program."""
    with open(program, "rb") as f:
        if f.read(4) != b"\x7fELF":
            return ()
    text = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    missing = re.findall(r"^\s*(\S+) => not found", text, re.M)
    if missing:
        raise SystemExit(f"{program} needs {', '.join(missing)}, which is not installed")
    return tuple(re.findall(r"(?:=> |^\s*)(/\S+) \(0x", text, re.M))


def read_module(path):
    """A module's bytes as the package has them, unpacked if the package compresses."""
    data = Path(path).read_bytes()
    return lzma.decompress(data) if str(path).endswith(".xz") else data


def add_modules(image, kernel_root, version, names):
    """The named modules with their dependencies, and the index files of modprobe."""
    tree = Path(kernel_root) / "lib/modules" / version
    by_name = {}
    for path in tree.rglob("*.ko*"):
        by_name[path.name.split(".ko")[0].replace("-", "_")] = path
    wanted, todo = {}, [n.replace("-", "_") for n in names]
    while todo:
        name = todo.pop()
        if name in wanted or name not in by_name:
            continue
        data = wanted[name] = read_module(by_name[name])
        depends = re.search(rb"(?:^|\0)depends=([^\0]*)\0", data)
        softdeps = re.findall(rb"\0softdep=pre: ([^\0]*)\0", data)
        for text in [depends.group(1) if depends else b"", *softdeps]:
            todo += [n.replace("-", "_") for n in re.split(r"[, ]+", text.decode()) if n]
    with tempfile.TemporaryDirectory() as tmp:
        root = Path(tmp) / "lib/modules" / version
        for name, data in wanted.items():
            target = root / str(by_name[name].relative_to(tree)).removesuffix(".xz")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        for index in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
            if (tree / index).exists():
                shutil.copy(tree / index, root / index)
        subprocess.run([find_tool("depmod"), "-b", tmp, version], check=True)
        for path in root.rglob("*"):
            if path.is_file():
                image.put(f"lib/modules/{version}/{path.relative_to(root)}", path.read_bytes())


def find_tool(name):
    """Where the host has a program (system programs included), or None."""
    return shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/systemd:/lib/systemd")


def add_tools(image, tools_root):
    image.program(find_tool("busybox"), "usr/bin/busybox")
    applets = subprocess.run([find_tool("busybox"), "--list"], capture_output=True, text=True, check=True).stdout.split()
    for applet in applets:
        image.link(f"lab/busybox/{applet}", "/usr/bin/busybox")
    for name in TOOLS:
        host = find_tool(name)
        if host:
            image.program(host, str(Path(host).parent.joinpath(name)))
    image.link("usr/bin/sh", "bash")
    for name in "modprobe insmod rmmod lsmod modinfo depmod".split():
        image.link(f"usr/sbin/{name}", "../bin/kmod")
    for path in Path("/etc/iproute2").glob("*"):
        if path.is_file():
            image.file(path, str(path))
    for pattern in ("50-udev-default.rules", "75-net-description.rules", "80-drivers.rules", "80-net-setup-link.rules"):
        rule = Path("/usr/lib/udev/rules.d") / pattern
        if rule.exists():
            image.file(rule, str(rule))
    for path in Path("/usr/lib/systemd/network").glob("99-default.link"):
        image.file(path, str(path))
    gdb = Path(tools_root or "/nonexistent") / "gdb-minimal/usr/bin/gdb"
    if gdb.exists():
        image.program(gdb, "usr/bin/gdb")


def build_base(kernel_root, version, out, tools_root=None):
    """Write the base archive of one kernel, and beside it the list of its paths (for overlays to leave out)."""
    image = Image()
    for name in DIRS:
        image.directory(name)
    for name, target in LINKS.items():
        image.link(name, target)
    for name, text in ETC.items():
        image.put(name, text)
    add_tools(image, tools_root)
    add_modules(image, kernel_root, version, MODULES)
    image.put("lab/paths", "".join(f"{p}\n" for p in sorted(image.entries)))
    image.write(out)


def base_paths(base):
    """The paths a base archive contains, read from the list it carries."""
    data = Path(base).read_bytes()
    name = data.find(b"lab/paths\0")
    start = name - 110
    size = int(data[start + 54:start + 62], 16)
    body = start + (110 + len("lab/paths") + 1 + 3) // 4 * 4
    return data[body:body + size].decode().split("\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--kernel-root", required=True, help="directory with lib/modules/VERSION")
    parser.add_argument("--version", required=True)
    parser.add_argument("--tools-root", help="directory with packages unpacked aside (gdb-minimal)")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    build_base(args.kernel_root, args.version, args.out, args.tools_root)
