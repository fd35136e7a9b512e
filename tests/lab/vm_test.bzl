# SPDX-License-Identifier: Apache-2.0
"""Tests that run in a guest of the lab: one target per kernel, and a suite over them.

    vm_test(
        name = "direct_mode",
        programs = ["direct_mode.sh", ":chardev_test"],      # scripts and GoogleTest binaries, run in the guest in order
        modules = ["//kagent", "//nddcore"],                 # base labels of kernel_modules(), loaded in this order
        data = ["//examples/pingpong"],                      # further files for the guest's /lab
        nics = ["e1000e", "e1000e"],
    )

makes direct_mode_6_1 and direct_mode_6_12, and direct_mode_debug if there is a debug kernel. What the options mean stands in README.md; the cases' API in guest/case.sh.
"""

load("//third_party/generated:kernels.bzl", "KERNELS", "TOOLS")
load("//third_party/linux:kernel_module.bzl", "KernelModuleInfo", "kernel_tags", "suffixed")

def _lab_base_impl(ctx):
    kernel = KERNELS[ctx.attr.kernel]
    out = ctx.actions.declare_file(ctx.label.name + ".cpio")
    ctx.actions.run_shell(
        inputs = [ctx.file._initrd],
        outputs = [out],
        mnemonic = "LabBase",
        progress_message = "Packing the guest of Linux %s" % ctx.attr.kernel,
        # the packages it is made of are no files of bazel's: their versions are
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "MADE_OF": TOOLS.stamp + kernel.package + kernel.sha256},
        command = "python3 -B %s --kernel-root %s --version %s --tools-root %s --out %s" % (
            ctx.file._initrd.path,
            kernel.root,
            kernel.release,
            TOOLS.root,
            out.path,
        ),
    )
    return [DefaultInfo(files = depset([out]))]

_lab_base = rule(
    doc = "The part of a guest's file system that is the same in every run of a kernel.",
    implementation = _lab_base_impl,
    attrs = {
        "kernel": attr.string(mandatory = True, values = KERNELS.keys()),
        "_initrd": attr.label(default = "//tests/lab:initrd.py", allow_single_file = True),
    },
)

def lab_bases(name):
    """A base for every kernel there is: NAME_6_1, …"""
    for kernel in KERNELS:
        _lab_base(
            name = suffixed(":" + name, kernel)[1:],
            kernel = kernel,
            tags = kernel_tags(kernel),
        )

def _quote(text):
    return "'" + text.replace("'", "'\\''") + "'"

def _runner(ctx, more):
    """Writes the launcher: vm.py with this target's options, and the command line's after them."""
    kernel = KERNELS[ctx.attr.kernel]
    options = [
        "--kernel",
        ctx.attr.kernel,
        "--kernel-root",
        kernel.root,
        "--base",
        ctx.file.base.short_path,
        "--suite",
        str(ctx.label).lstrip("@"),
        "--topology",
        ctx.attr.topology,
        "--link",
        ctx.attr.link,
        "--iommu",
        ctx.attr.iommu,
        "--smp",
        str(ctx.attr.smp),
        "--mem",
        str(ctx.attr.mem),
        "--time-limit",
        str(ctx.attr.time_limit),
        "--case-limit",
        str(ctx.attr.case_limit),
        "--append=" + ctx.attr.append,
    ]
    for nic in ctx.attr.nics:
        options += ["--nic", nic]
    runfiles = ctx.runfiles(ctx.files._runner + ctx.files._guest + [ctx.file.base] + ctx.files.data)
    for target, option in [(m, "--module") for m in ctx.attr.modules] + [(m, "--add-module") for m in ctx.attr.add_modules]:
        ko = target[KernelModuleInfo].ko
        options += [option, ko.short_path]
        runfiles = runfiles.merge(ctx.runfiles([ko]))
    for program in ctx.attr.programs:
        files = program[DefaultInfo].files.to_list()
        executable = program[DefaultInfo].files_to_run.executable or files[0]
        options += ["--run", executable.short_path]
        runfiles = runfiles.merge(ctx.runfiles([executable])).merge(program[DefaultInfo].default_runfiles)
    for data in ctx.attr.data:
        runfiles = runfiles.merge(data[DefaultInfo].default_runfiles)
        executable = data[DefaultInfo].files_to_run.executable
        for f in [executable] if executable else data[DefaultInfo].files.to_list():
            options += ["--add", f.short_path]
    if ctx.attr.count:
        options += ["--count", ctx.file._plugin.short_path]
        runfiles = runfiles.merge(ctx.runfiles([ctx.file._plugin]))
    for expect in ctx.attr.expect:
        options += ["--expect", expect]
    for case, reason in ctx.attr.must_fail.items():
        options += ["--must-fail", "%s=%s" % (case, reason)]
    for figure, value in ctx.attr.must_count.items():
        options += ["--must-count", "%s=%s" % (figure, value)]
    for figure, value in ctx.attr.targets.items():
        options += ["--target", "%s=%s" % (figure, value)]
    if ctx.attr.boots > 1:
        options += ["--boots", str(ctx.attr.boots)]
    if ctx.file.own_counts:
        options += ["--own-counts", ctx.file.own_counts.short_path]
        runfiles = runfiles.merge(ctx.runfiles([ctx.file.own_counts]))
    options += more + ctx.attr.arguments
    launcher = ctx.actions.declare_file(ctx.label.name + ".run")
    ctx.actions.write(launcher, is_executable = True, content = """#!/bin/bash
# Written by vm_test.bzl for %s.
cd "${RUNFILES_DIR:-${TEST_SRCDIR:-$0.runfiles}}/udd" || exit
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME="${HOME:-/root}"
exec python3 -B tests/lab/vm.py %s "$@"
""" % (ctx.label, " ".join([_quote(o) for o in options])))
    return [DefaultInfo(executable = launcher, runfiles = runfiles)]

_ATTRS = {
    "kernel": attr.string(mandatory = True, values = KERNELS.keys()),
    "base": attr.label(mandatory = True, allow_single_file = True),
    "nics": attr.string_list(),
    "topology": attr.string(default = "flat"),
    "link": attr.string(default = "hub"),
    "iommu": attr.string(default = "on"),
    "append": attr.string(),
    "smp": attr.int(default = 2),
    "mem": attr.int(default = 1024),
    "time_limit": attr.int(default = 600),
    "case_limit": attr.int(default = 120),
    "modules": attr.label_list(providers = [KernelModuleInfo]),
    "add_modules": attr.label_list(providers = [KernelModuleInfo]),
    "programs": attr.label_list(allow_files = True),
    "data": attr.label_list(allow_files = True),
    "arguments": attr.string_list(doc = "further arguments of vm.py"),
    "count": attr.bool(doc = "count instructions between the marks of plugin/mark.h: one CPU, virtual time"),
    "must_count": attr.string_dict(doc = "with count: FIGURE.COUNTER and its value per unit, two decimals, or a bound: <=350, >=3.5*FIGURE.COUNTER; figures.py has the rest"),
    "targets": attr.string_dict(doc = "the same, but only told"),
    "own_counts": attr.label(doc = "table of what the library's figures must not exceed", allow_single_file = True),
    "boots": attr.int(default = 1, doc = "guests to take the median of"),
    "expect": attr.string_list(doc = "patterns that the serial log must contain"),
    "must_fail": attr.string_dict(doc = "the lab's self-test: cases that must fail, with a pattern of the reason"),
    "_runner": attr.label(default = "//tests/lab:runner"),
    "_plugin": attr.label(default = "//tests/lab/plugin:count.so", allow_single_file = True),
    "_guest": attr.label(default = "//tests/lab:guest"),
}

def _test_impl(ctx):
    return _runner(ctx, [])

def _run_impl(ctx):
    return _runner(ctx, ["--show"])

def _shell_impl(ctx):
    return _runner(ctx, ["--shell"])

_vm_test = rule(implementation = _test_impl, attrs = _ATTRS, test = True)

_vm_run = rule(implementation = _run_impl, attrs = _ATTRS, executable = True)

_vm_shell = rule(implementation = _shell_impl, attrs = _ATTRS, executable = True)

def _per_kernel(kernel, modules, add_modules):
    return dict(
        kernel = kernel,
        base = suffixed("//tests/lab:base", kernel),
        modules = [suffixed(m, kernel) for m in modules],
        add_modules = [suffixed(m, kernel) for m in add_modules],
    )

def vm_test(
        name,
        kernels = ["6.1", "6.12"],
        full_kernels = [],
        modules = [],
        add_modules = [],
        nics = ["e1000e", "e1000e"],
        busy = True,
        debug_kernel = True,
        tags = [],
        **kwargs):
    """Tests in a guest, one target per kernel and a test_suite.

    Args:
      name: base name
      kernels: which of Debian's kernels to run on
      full_kernels: those of them that only the long tier runs on
      modules: base labels of modules to load
      add_modules: base labels of modules that cases load themselves
      nics: QEMU devices, back to back in pairs
      busy: its guest keeps both CPUs busy, or measures time: no other guest runs beside it
      debug_kernel: on the debug kernel as well, where there is one; figures (count, tag "bench") never are
      tags: "full" puts it in the long tier
      **kwargs: topology, link, iommu, append, smp, mem, time_limit, case_limit, programs, data, expect, arguments, visibility
    """
    figures = kwargs.get("count", False) or "bench" in tags
    if debug_kernel and not figures:
        kernels = kernels + [k for k in KERNELS if k == "debug"]
    for kernel in kernels:
        _vm_test(
            name = suffixed(":" + name, kernel)[1:],
            nics = nics,
            # the lab has its own, better time limits than bazel
            tags = tags + ["cpu:2" if busy else "cpu:1", "vm"] + (["full"] if kernel in full_kernels else []) + kernel_tags(kernel),
            timeout = "eternal",
            **dict(kwargs, **_per_kernel(kernel, modules, add_modules))
        )
    if kernels:  # an empty suite would mean all tests of the package
        native.test_suite(
            name = name,
            tests = [suffixed(":" + name, kernel) for kernel in kernels],
            # so that `:name` alone names the long tier's as well
            tags = ["manual"],
        )

def vm_shell(name, kernel = "6.12", modules = [], add_modules = [], nics = ["e1000e", "e1000e"], **kwargs):
    """`bazel run` of it gives a shell in a guest; there is none for a kernel that isn't there."""
    if kernel in KERNELS:
        _vm_shell(name = name, nics = nics, tags = kernel_tags(kernel), **dict(kwargs, **_per_kernel(kernel, modules, add_modules)))

def vm_run(name, kernel = "6.12", modules = [], add_modules = [], nics = ["e1000e", "e1000e"], **kwargs):
    """`bazel run` of it runs the programs in a guest and shows what they print; the exit status is the cases'."""
    _vm_run(name = name, nics = nics, **dict(kwargs, **_per_kernel(kernel, modules, add_modules)))
