#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Boots one guest, runs test programs in it and judges what came out of its serial port. Usage: README.md beside this file.

Stands between the vm_test rule (or a person) and QEMU; needs nothing but Python, QEMU and what initrd.py packs.
"""

import argparse
import json
import os
import re
import signal
import shlex
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import figures  # noqa: E402
import initrd  # noqa: E402
import report  # noqa: E402

GUEST = Path(__file__).resolve().parent / "guest"
INIT_LIMIT = 75  # seconds from power-on to the first LAB line, on a loaded host; a boot takes 5 to 10
# Limits are those of a quiet host. Others are slower, and run another guest beside this one: no limit is meant to measure.
PATIENCE = 2
# The debug kernel takes SLOW times as long for most things, and a good part of the memory for its own books.
DEBUG_KERNEL, SLOW, MEM_FACTOR = "debug", 4, 2


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arg = parser.add_argument
    arg("--kernel", default="6.12", help="6.1, 6.12 or debug")
    arg("--kernel-root", help="directory with boot/vmlinuz-* and lib/modules/* (default: as bazelw unpacked it)")
    arg("--base", help="base archive made by initrd.py (default: built once and kept in the cache)")
    arg("--nic", action="append", default=[], help="QEMU device, in pairs back to back; more properties after a comma")
    arg("--topology", default="flat", choices=["flat", "pcie-pci-bridge", "root-port"],
        help="where the NICs sit; behind a pcie-pci-bridge they share an IOMMU group")
    arg("--link", default="hub", choices=["hub", "dgram"], help="what joins a pair")
    arg("--iommu", default="on", choices=["on", "off", "pt"])
    arg("--append", default="", help="more kernel command line")
    arg("--smp", type=int, default=2)
    arg("--mem", type=int, default=1024, help=f"MiB; times {MEM_FACTOR} for the debug kernel")
    arg("--time-limit", type=int, default=600, help=f"seconds for the whole run; times {PATIENCE}, and {SLOW} for the debug kernel")
    arg("--case-limit", type=int, default=120, help="seconds for one case; likewise")
    arg("--module", action="append", default=[], help="module to put beside the kernel's and load")
    arg("--add-module", action="append", default=[], help="module to put beside the kernel's, not loaded")
    arg("--no-coldplug", action="store_true", help="load no driver for the devices there are")
    arg("--add", action="append", default=[], help="HOSTFILE[:GUESTPATH], default /lab/NAME; programs with their libraries")
    arg("--run", action="append", default=[], help="script or GoogleTest program to run in the guest")
    arg("--expect", action="append", default=[], help="pattern that the serial log must contain")
    arg("--must-fail", action="append", default=[], help="CASE=REASON: the lab's self-test, a case that must be reported as failed")
    arg("--log", help="keep the serial log here")
    arg("--suite", default="vm", help="name over the cases in the XML")
    arg("--shell", action="store_true", help="an interactive shell instead of programs")
    arg("--monitor", help="path for a socket with QEMU's monitor")
    arg("--plugin", action="append", default=[], help="QEMU -plugin arguments")
    arg("--icount", action="store_true", help="virtual time by instructions; implies --smp 1")
    arg("--count", metavar="PLUGIN", help="count instructions between marks (plugin/mark.h) with this plugin; implies --icount")
    arg("--blocks", metavar="FILE", help="with --count, keep what plugin/by_symbol.py reads here")
    arg("--must-count", action="append", default=[], help="with --count, a case that FIGURE.COUNTER=VALUE per unit; a VALUE like <=350 or "
        ">=3.5*FIGURE.COUNTER is a bound")
    arg("--target", action="append", default=[], help="like --must-count, but only told beside what was measured")
    arg("--own-counts", metavar="FILE", help="with --count, a case for each row of this table that was measured: no more than recorded")
    arg("--boots", type=int, default=1, help="run so many guests one after the other; what counts is the median of their figures")
    arg("--qemu", default="qemu-system-x86_64")
    arg("--qemu-arg", action="append", default=[], help="further QEMU argument")
    arg("--verbose", "-v", action="store_true", help="show the serial port while it runs")
    arg("--show", action="store_true", help="show what the programs print while they run, without the kernel's log")
    args = parser.parse_args()
    args.icount = args.icount or bool(args.count)
    args.debug = args.kernel == DEBUG_KERNEL
    args.slow = PATIENCE * (SLOW if args.debug else 1)
    args.time_limit *= args.slow
    args.mem *= MEM_FACTOR if args.debug else 1
    return args


def cache():
    return Path(os.environ.get("UDD_CACHE") or Path.home() / ".cache/udd")


def find_kernel(args):
    """Directory and version of the kernel asked for."""
    root = Path(args.kernel_root) if args.kernel_root else cache() / "kernels" / args.kernel
    for image in sorted(root.glob("boot/vmlinuz-*")):
        version = image.name.removeprefix("vmlinuz-")
        if re.match(re.escape(args.kernel) + r"[.\-]", version) or version.endswith(f"-{args.kernel}"):
            return root, version
    sys.exit(f"vm.py: no vmlinuz-{args.kernel}* in {root}/boot; run ./bazelw once "
             "(for debug: ./bazelw test --config=debug_kernel …), or give --kernel-root")


def base_archive(args, root, version):
    """The base archive: as given, or built into the cache if what it is made of has changed."""
    if args.base:
        return Path(args.base)
    made_of = [Path(initrd.__file__), root / "boot" / f"vmlinuz-{version}", Path("/var/lib/dpkg/status")]
    stamp = "-".join(f"{int(p.stat().st_mtime)}" for p in made_of)
    target = cache() / "lab" / f"base-{version}-{stamp}.cpio"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_suffix(f".{os.getpid()}")
        initrd.build_base(root, version, temporary, cache() / "tools")
        temporary.rename(target)
    return target


def module_name(path):
    return Path(path).name.split(".ko")[0].replace("-", "_")


def build_overlay(args, version, base, out):
    """The second archive: init, guest library, modules under test, programs and the plan that init follows."""
    image = initrd.Image(known=initrd.base_paths(base))
    image.file(GUEST / "init", "init")
    for name in ("case.sh", "run-program", "kernel_checks.sh"):
        image.file(GUEST / name, f"lab/{name}")
    for path in args.module + args.add_module:
        data = initrd.read_module(path)
        magic = re.search(rb"vermagic=(\S+)", data)
        if magic and magic.group(1).decode() != version:
            sys.exit(f"vm.py: {path} was built for {magic.group(1).decode()}, the guest is {version}")
        image.put(f"lib/modules/{version}/extra/{module_name(path)}.ko", data)
    for item in args.add:
        host, _, guest = item.partition(":")
        image.program(host, guest or f"lab/{Path(host).name}")
    for program in args.run:
        image.program(program, f"lab/{Path(program).name}")
        image.entries[f"lab/{Path(program).name}"] = (0o100755, Path(program).read_bytes())
    plan = {
        "lab_programs": " ".join(Path(p).name for p in args.run),
        "lab_load": " ".join(module_name(p) for p in args.module),
        "lab_extra_modules": "1" if args.module or args.add_module else "",
        "lab_coldplug": "" if args.no_coldplug else "1",
        "lab_case_limit": str(args.case_limit),
        "lab_slow": str(args.slow),
        "lab_debug": "1" if args.debug else "",
        "lab_shell": "1" if args.shell else "",
    }
    image.put("lab/plan", "".join(f"export {k}={shlex.quote(v)}\n" for k, v in plan.items()))
    image.write(out)


def nic_arguments(args):
    """-device and -netdev for every NIC: id nicN, slot 3+N, MAC 52:54:00:00:00:0N, pairs (0 1), (2 3), …"""
    result, bus = [], "pcie.0"
    if args.topology == "pcie-pci-bridge":
        result += ["-device", "pcie-pci-bridge,id=bridge,addr=2"]
        bus = "bridge"
    for n, nic in enumerate(args.nic):
        model, _, properties = nic.partition(",")
        if args.link == "hub":
            result += ["-netdev", f"hubport,hubid={n // 2},id=n{n}"]
        else:
            result += ["-netdev", f"dgram,id=n{n},local.type=unix,local.path=link{n},remote.type=unix,remote.path=link{n ^ 1}"]
        slot, addr = bus, f"{3 + n:x}"
        if model == "igb" or args.topology == "root-port":
            result += ["-device", f"pcie-root-port,id=port{n},slot={n},chassis={n + 1},addr={addr}"]
            slot, addr = f"port{n}", "0"
        if model.startswith("virtio"):
            properties = ",".join(filter(None, [properties, "disable-legacy=on,iommu_platform=on"]))
        device = f"{model},netdev=n{n},id=nic{n},bus={slot},addr={addr},mac=52:54:00:00:00:{n:02x},romfile="
        result += ["-device", ",".join(filter(None, [device, properties]))]
    return result


def qemu_command(args, kernel, archive, work):
    command = [args.qemu, "-machine", "q35,kernel-irqchip=off", "-cpu", "max", "-m", str(args.mem), "-display", "none",
               "-no-reboot", "-nic", "none", "-no-user-config", "-kernel", str(kernel), "-initrd", str(archive)]
    if args.icount:
        command += ["-accel", "tcg", "-icount", "shift=0,sleep=off", "-smp", "1"]
    else:
        command += ["-accel", "tcg,thread=multi", "-smp", str(args.smp)]
    command += ["-serial", "mon:stdio" if args.shell else "stdio"]
    command += ["-chardev", f"socket,id=host,path={work}/host,server=on,wait=off", "-serial", "chardev:host"]
    for name in ("qmp", "autopsy"):
        command += ["-qmp", f"unix:{work}/{name},server=on,wait=off"]
    if args.monitor:
        command += ["-monitor", f"unix:{args.monitor},server=on,wait=off"]
    if args.iommu != "off":
        # With several processors QEMU 10.0 now and then loses a memory-mapped write of one while another changes the
        # memory map, as every take and restore does. What can't be done without are the local APIC's end of interrupt and
        # timer: in x2APIC mode these are no memory.
        command += ["-device", "intel-iommu,intremap=on,caching-mode=on" + ("" if args.icount else ",eim=on")]
    command += nic_arguments(args)
    plugins = list(args.plugin)
    if args.count:
        outputs = os.environ.get("TEST_UNDECLARED_OUTPUTS_DIR")
        blocks = args.blocks or (outputs and f"{outputs}/blocks")
        plugins += [f"{Path(args.count).resolve()},out={work}/counts" + (f",blocks={Path(blocks).resolve()}" if blocks else "")]
    for plugin in plugins:
        command += ["-plugin", plugin]
    iommu = {"on": "intel_iommu=on", "pt": "intel_iommu=on iommu=pt", "off": "intel_iommu=off"}[args.iommu]
    append = f"console=ttyS0 loglevel=5 panic=-1 printk.devkmsg=on no_timer_check {iommu} {args.append}"
    # every report, not only the first
    command += ["-append", append + (" kasan_multi_shot" if args.debug else "")]
    return command + args.qemu_arg


def connect(path, process, patience=None):
    """A stream to a socket that QEMU is about to open; None if it ends first. An answer may take `patience` seconds."""
    while process.poll() is None:
        try:
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(patience)
            s.connect(path)
            return s.makefile("rw", encoding="utf-8", errors="replace", newline="\n")
        except OSError:
            time.sleep(0.1)
    return None


def open_monitor(path, process, patience=None):
    """QEMU's monitor, as a function from a command to its output; None if QEMU ends first."""
    qmp = connect(path, process, patience)
    if not qmp:
        return None
    ask(qmp, {"execute": "qmp_capabilities"})
    return lambda line: ask(qmp, {"execute": "human-monitor-command", "arguments": {"command-line": line}})


def serve_host_line(process, work):
    """Carry out the guest's `host …` lines: each is a command of QEMU's monitor, answered by its output and "lab:done"."""
    try:
        monitor, guest = open_monitor(f"{work}/qmp", process), connect(f"{work}/host", process)
        if not monitor or not guest:
            return
        for line in guest:
            answer = monitor(line.strip("\r\n\0 "))
            guest.write(f"{answer}".replace("\r", "") + "\nlab:done\n" if answer else "lab:done\n")
            guest.flush()
    except (OSError, ValueError):
        pass  # QEMU has ended


def ask(qmp, request):
    qmp.write(json.dumps(request) + "\n")
    qmp.flush()
    for line in qmp:
        answer = json.loads(line)
        if "return" in answer or "error" in answer:
            return answer.get("return") or answer.get("error", {}).get("desc", "")
    return ""


def autopsy(qemu, work, cpus):
    """Where the processors of a guest stand that came to no end, and what their interrupt controllers wait for."""
    lines = []
    try:
        monitor = open_monitor(f"{work}/autopsy", qemu, patience=20)
        if not monitor:
            return ""
        for moment in ("", ", 1 s later"):  # what differs is alive
            for command in [f"info lapic {cpu}" for cpu in range(cpus)] + ["info registers -a"]:
                lines.append(f"(qemu) {command}{moment}")
                lines += re.findall(r"^(?:CPU#|RIP=|LVTT\b|Timer|I[SR]R|APR).*", monitor(command), re.M)
            time.sleep(1)
    except (OSError, ValueError) as error:
        lines.append(f"(qemu) no answer: {error}")
    return "\n".join(lines).replace("\r", "") + "\n"


def boot(args, command, work):
    """Run QEMU to the guest's end or a limit. Returns the serial log, why it was ended, if it was, and if QEMU aborted."""
    chunks, seen_init, ended = [], threading.Event(), ""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=work) as qemu:
        threading.Thread(target=serve_host_line, args=(qemu, work), daemon=True).start()
        start, end_seen = time.monotonic(), threading.Event()

        def collect():
            for line in qemu.stdout:
                text = line.decode("utf-8", "replace")
                chunks.append(text)
                if "LAB INIT" in text:
                    seen_init.set()
                if "LAB END" in text:
                    end_seen.set()
                if args.verbose or (args.show and seen_init.is_set() and not report.KERNEL_LINE.search(text)):
                    sys.stdout.write(text.replace("\r\n", "\n"))
                    sys.stdout.flush()

        reader = threading.Thread(target=collect, daemon=True)
        reader.start()
        end_time = None
        while qemu.poll() is None and not ended:
            time.sleep(0.1)
            now = time.monotonic()
            if end_seen.is_set():
                end_time = end_time or now
                if now - end_time > 20:
                    break
            elif now - start > args.time_limit:
                ended = f"time limit of {args.time_limit} s"
            elif now - start > INIT_LIMIT * args.slow and not seen_init.is_set():
                ended = f"no init within {INIT_LIMIT * args.slow} s"
        dead = autopsy(qemu, work, args.smp) if ended else ""
        if qemu.poll() is None:
            qemu.kill()
        aborted = qemu.wait() == -signal.SIGABRT
        reader.join(5)
    return "".join(chunks) + dead, ended, aborted


def shell(args, command, work):
    """Give the terminal to the guest."""
    print("lab: Ctrl-A X ends QEMU, 'exit' the guest; `host COMMAND` reaches QEMU's monitor", flush=True)
    with subprocess.Popen(command, cwd=work) as qemu:
        threading.Thread(target=serve_host_line, args=(qemu, work), daemon=True).start()
        return qemu.wait()


def count(args, version, boots, cases, outputs):
    """Keep and print the figures of all boots. Returns a case for every value that something is asked of."""
    merged = figures.median(boots)
    known = figures.values(merged)
    if outputs:
        qemu = subprocess.run([args.qemu, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
        about = {"suite": args.suite, "kernel": version, "nics": args.nic, "iommu": args.iommu, "qemu": qemu, "boots": args.boots,
                 "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        for name, content in (("figures.json", merged), ("run.json", about)):
            Path(outputs, name).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(figures.table(merged))
    print("\n".join(figures.targets(known, pairs(args.target))), flush=True)
    judged = figures.judge(known, pairs(args.must_count), cases)
    if args.own_counts:
        judged += figures.regressions(known, figures.read_own_counts(Path(args.own_counts).read_text(encoding="utf-8")))
    return judged


def pairs(items):
    """KEY=VALUE arguments as a dictionary."""
    return dict(item.split("=", 1) for item in items)


def boot_once(args, command, work):
    """One guest to its end, with a second try if it died before it did anything. Returns its log and the outcome."""
    for attempt in (1, 2):
        text, ended, aborted = boot(args, command, work)
        outcome = report.read(text)
        # QEMU's own assertions say nothing of the guest: with several processors iotlb_to_section() meets a memory map
        # that another one has just changed, about once in some hundred boots.
        if (outcome.init and not aborted) or attempt == 2:
            break
        print(f"lab: {text.strip().splitlines()[-1:] if aborted else 'the guest died before its init'}, booting it once more",
              flush=True)
    for pattern in args.expect:
        found = re.search(pattern, text, re.M)
        outcome.cases.append(report.Case(f"expect.{pattern}", "PASS" if found else "FAIL", "" if found else "not in the serial log"))
    if not outcome.end:
        why = ended or "the guest ended without its end line"
        outcome.cases.append(report.Case("lab.end", "FAIL", why))
    elif not outcome.cases:
        outcome.cases.append(report.Case("lab.cases", "FAIL", "no case has run"))
    return text, outcome


def run(args, version, command, work):
    """Boot, judge, write the results. Returns the exit status."""
    outputs = os.environ.get("TEST_UNDECLARED_OUTPUTS_DIR")
    log = args.log or (outputs and f"{outputs}/serial.log") or f"{tempfile.gettempdir()}/lab-serial-{os.getpid()}.log"
    cases, text, counted = [], "", []
    for number in range(1, args.boots + 1):
        one, outcome = boot_once(args, command, work)
        for case in outcome.cases if number > 1 else []:
            case.name += f"_boot_{number}"
        cases, text = cases + outcome.cases, text + one
        Path(log).write_text(text, encoding="utf-8")
        if args.count:
            records = Path(work) / "counts"
            lines = records.read_text(encoding="utf-8").splitlines() if records.exists() else []
            counted.append(figures.join(one, [json.loads(line) for line in lines]))
    if args.count:
        cases += count(args, version, counted, cases, outputs)
    if args.must_fail:
        cases = report.expect_failures(cases, pairs(args.must_fail))
    if os.environ.get("XML_OUTPUT_FILE"):
        report.write_junit(os.environ["XML_OUTPUT_FILE"], f"{args.suite}[{args.kernel}]", cases)
    failed = any(case.result == "FAIL" for case in cases)
    if failed and not args.verbose:
        print("\n".join(text.splitlines()[-60:]))
    for case in cases:
        print(f"{case.result} {case.name} ({case.seconds:.1f} s){': ' if case.reason else ''}{case.reason}")
    total = {k: sum(c.result == k for c in cases) for k in ("PASS", "FAIL", "SKIP")}
    print(f"lab: kernel {args.kernel}: {total['PASS']} passed, {total['FAIL']} failed, {total['SKIP']} skipped; serial log: {log}")
    return 1 if failed else 0


def main():
    args = parse_args()
    root, version = find_kernel(args)
    base = base_archive(args, root, version)
    with tempfile.TemporaryDirectory(prefix="lab.") as work:
        archive, overlay = Path(work) / "initrd", Path(work) / "overlay"
        build_overlay(args, version, base, overlay)
        with open(archive, "wb") as out:
            for part in (base, overlay):
                out.write(part.read_bytes())
        overlay.unlink()
        command = qemu_command(args, (root / "boot" / f"vmlinuz-{version}").resolve(), archive, work)
        return shell(args, command, work) if args.shell else run(args, version, command, work)


if __name__ == "__main__":
    sys.exit(main())
