# SPDX-License-Identifier: Apache-2.0
"""Kernel modules as targets: plain Kbuild against Debian's headers, run by bazel.

    kernel_modules(
        name = "nddcore",
        srcs = glob(["*.c", "*.h"]) + ["Kbuild"],
        hdrs = ["//kagent:headers"],        # files of other packages, found at their own path in the tree
        deps = ["//kagent:kagent"],         # modules whose exported symbols this one uses
    )

makes :nddcore_6_1 and :nddcore_6_12, each providing nddcore.ko, and :nddcore_debug if there is a debug kernel. The Kbuild file sees its own package at $(src) and the
tree at $(src)/..; for what differs between kernels it runs probes of its own against $(srctree) (a version number lies).
W=1 is on and warnings are errors. The kernel's version, hash and headers come from third_party/generated, so that a module
is rebuilt when they change and never meets another kernel; the vermagic is compared besides.
"""

load("//third_party/generated:kernels.bzl", "KERNELS")

KernelModuleInfo = provider(
    doc = "A kernel module.",
    fields = {"ko": "the module", "symvers": "its exported symbols", "kernel": "name of the kernel it is for"},
)

def suffixed(label, kernel):
    """The label of a module's variant for one kernel: //kagent or //kagent:kagent -> //kagent:kagent_6_12."""
    if ":" not in label:
        label = label + ":" + label.split("/")[-1]
    return label + "_" + kernel.replace(".", "_")

def kernel_tags(kernel):
    """Tags of all that is for one kernel; .bazelrc leaves out what is for the debug kernel unless a run asks for it."""
    return ["debug_kernel"] if kernel == "debug" else []

def _kernel_module_impl(ctx):
    kernel = KERNELS[ctx.attr.kernel]
    directory = ctx.label.name
    ko = ctx.actions.declare_file("%s/%s.ko" % (directory, ctx.attr.module))
    symvers = ctx.actions.declare_file("%s/Module.symvers" % directory)
    deps = [d[KernelModuleInfo] for d in ctx.attr.deps]
    files = ctx.files.srcs + ctx.files.hdrs
    ctx.actions.run_shell(
        inputs = files + [d.symvers for d in deps],
        outputs = [ko, symvers],
        mnemonic = "KernelModule",
        progress_message = "Building %s.ko for Linux %s" % (ctx.attr.module, ctx.attr.kernel),
        env = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "LC_ALL": "C",
            # an input that changes with the package: the headers are no files of bazel's
            "KERNEL": "%s %s %s" % (kernel.release, kernel.package, kernel.sha256),
        },
        command = """
set -eu
root=$PWD
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
for f in {files}; do
    to=$tree/${{f#{bindir}/}}
    mkdir -p "${{to%/*}}"
    cp -L "$f" "$to"
done
extra=""
for f in {symvers_of_deps}; do extra="$extra $root/$f"; done
make -s -C {headers} M="$tree/{package}" W=1 KCFLAGS="-Werror {copts}" KBUILD_MODPOST_WARN= \
    KBUILD_EXTRA_SYMBOLS="$extra" modules >"$tree/log" 2>&1 || failed=1
sed -i "s|$tree/||g" "$tree/log"
if [ "${{failed:-}}" ]; then
    cat "$tree/log" >&2
    exit 1
fi
if grep -i 'warning' "$tree/log" >&2; then
    echo "warnings are errors here" >&2
    exit 1
fi
magic=$(modinfo -F vermagic "$tree/{package}/{module}.ko" | cut -d' ' -f1)
if [ "$magic" != "{release}" ]; then
    echo "{module}.ko is for $magic, the guest runs {release}: run ./bazelw" >&2
    exit 1
fi
cp "$tree/{package}/{module}.ko" {ko}
cp "$tree/{package}/Module.symvers" {symvers}
""".format(
            files = " ".join([f.path for f in files]),
            bindir = ctx.bin_dir.path,
            symvers_of_deps = " ".join([d.symvers.path for d in deps]),
            headers = kernel.headers,
            package = ctx.label.package,
            copts = " ".join(ctx.attr.copts),
            module = ctx.attr.module,
            release = kernel.release,
            ko = ko.path,
            symvers = symvers.path,
        ),
    )
    return [
        DefaultInfo(files = depset([ko]), runfiles = ctx.runfiles([ko])),
        KernelModuleInfo(ko = ko, symvers = symvers, kernel = ctx.attr.kernel),
    ]

_kernel_module = rule(
    implementation = _kernel_module_impl,
    attrs = {
        "module": attr.string(mandatory = True),
        "kernel": attr.string(mandatory = True, values = KERNELS.keys()),
        "srcs": attr.label_list(allow_files = True),
        "hdrs": attr.label_list(allow_files = True),
        "deps": attr.label_list(providers = [KernelModuleInfo]),
        "copts": attr.string_list(),
    },
)

def kernel_modules(name, srcs, hdrs = [], deps = [], copts = [], module = None, tags = [], **kwargs):
    """One module for every kernel there is.

    Args:
      name: base name of the targets, and of the module unless `module` says otherwise
      srcs: sources, headers and the Kbuild file of this package
      hdrs: files of other packages
      deps: base labels of modules whose symbols are used
      copts: further options for the compiler
      module: name of the .ko
      tags: of every target
      **kwargs: visibility, …
    """
    for kernel in KERNELS:
        _kernel_module(
            name = suffixed(name if ":" in name else ":" + name, kernel)[1:],
            module = module or name,
            kernel = kernel,
            srcs = srcs,
            hdrs = hdrs,
            deps = [suffixed(d, kernel) for d in deps],
            copts = copts,
            tags = tags + kernel_tags(kernel),
            **kwargs
        )
