# SPDX-License-Identifier: Apache-2.0
"""A libFuzzer target as a test: random and crafted input, guided by coverage, under ASan and UBSan.

    fuzz_test("merge", srcs = ["merge_fuzz.cc"], deps = ["//udd/merge:tcp_merge"], least = 5000, long_least = 1000000)

The rest of the tree is built by GCC, which has no libFuzzer. So an aspect compiles what the target depends on once more, by
Clang with coverage and sanitizers, source by source; Debian's libraries stay as they are. Every run first goes over
corpus/NAME, which holds what once was a finding, then searches; what it finds is in the test's outputs, and what libFuzzer says
in its log: executions, coverage, features. A run that does fewer than `least` executions fails: it would show nothing.
"""

FuzzInfo = provider(doc = "What Clang made of a target and of all it depends on.", fields = {
    "objects": "depset of object files",
    "linkopts": "depset of flags for the linker",
})

_COMPILERS = {
    "c": ["/usr/bin/clang-16", "-std=gnu11"],
    "cc": ["/usr/bin/clang++-16", "-std=c++20"],
}
_SANITIZERS = "address,undefined"
_COPTS = ["-O1", "-g1", "-fno-omit-frame-pointer", "-fno-sanitize-recover=all", "-Wall", "-Wextra", "-Werror"]

def _compile(ctx, src, compilation):
    object_file = ctx.actions.declare_file("_fuzz/%s/%s.o" % (ctx.label.name, src.basename))
    compiler = _COMPILERS[src.extension]
    arguments = ctx.actions.args()
    arguments.add_all(compiler[1:] + _COPTS)
    arguments.add("-fsanitize=fuzzer-no-link," + _SANITIZERS)
    for flag, paths in [
        ("-iquote", compilation.quote_includes),
        ("-I", compilation.includes),
        ("-isystem", compilation.system_includes),
    ]:
        arguments.add_all(paths, before_each = flag)
    arguments.add_all(compilation.defines, format_each = "-D%s")
    arguments.add("-c", src)
    arguments.add("-o", object_file)
    ctx.actions.run(
        executable = compiler[0],
        arguments = [arguments],
        inputs = depset([src], transitive = [compilation.headers]),
        outputs = [object_file],
        mnemonic = "FuzzCompile",
        progress_message = "Compiling %s for fuzzing" % src.short_path,
        use_default_shell_env = True,
    )
    return object_file

def _merged(deps, objects, linkopts):
    infos = [dep[FuzzInfo] for dep in deps if FuzzInfo in dep]
    return FuzzInfo(
        objects = depset(objects, transitive = [info.objects for info in infos]),
        linkopts = depset(linkopts, transitive = [info.linkopts for info in infos]),
    )

def _instrumented_impl(target, ctx):
    rule = ctx.rule
    sources = [f for f in getattr(rule.files, "srcs", []) if f.extension in _COMPILERS]
    compilation = target[CcInfo].compilation_context if CcInfo in target else None
    return [_merged(
        getattr(rule.attr, "deps", []),
        [_compile(ctx, src, compilation) for src in sources] if compilation else [],
        getattr(rule.attr, "linkopts", []),
    )]

_instrumented = aspect(
    doc = "Compiles the sources of a cc_library, and of what it depends on, for fuzzing.",
    implementation = _instrumented_impl,
    attr_aspects = ["deps"],
)

def _fuzz_program_impl(ctx):
    compilation = cc_common.merge_cc_infos(cc_infos = [dep[CcInfo] for dep in ctx.attr.deps]).compilation_context
    info = _merged(ctx.attr.deps, [_compile(ctx, src, compilation) for src in ctx.files.srcs], [])
    program = ctx.actions.declare_file(ctx.label.name)
    arguments = ctx.actions.args()
    arguments.add("-fsanitize=fuzzer," + _SANITIZERS)
    arguments.add("-o", program)
    arguments.add_all(info.objects)
    arguments.add_all(info.linkopts)
    ctx.actions.run(
        executable = _COMPILERS["cc"][0],
        arguments = [arguments],
        inputs = info.objects,
        outputs = [program],
        mnemonic = "FuzzLink",
        use_default_shell_env = True,
    )
    return [DefaultInfo(executable = program)]

_fuzz_program = rule(
    doc = "libFuzzer's main(), a target, and all that it depends on.",
    implementation = _fuzz_program_impl,
    executable = True,
    attrs = {
        "srcs": attr.label_list(allow_files = [".cc"], mandatory = True),
        "deps": attr.label_list(aspects = [_instrumented], providers = [CcInfo]),
    },
)

def fuzz_test(name, srcs, deps, least, long_least):
    """A short search in every run, always the same one, and half an hour of another each time in the long tier.

    Args:
      name: of the corpus, and of the tests NAME_fuzz and NAME_fuzz_long
      srcs: has LLVMFuzzerTestOneInput()
      deps: cc_library targets
      least: executions of the short one, at least
      long_least: and of the long one
    """
    program = name + "_program"
    _fuzz_program(
        name = program,
        testonly = True,
        srcs = srcs,
        deps = deps,
    )
    for variant, seconds, executions, options, size, tags in [
        ("fuzz", 20, least, ["-seed=1"], "medium", []),
        ("fuzz_long", 1800, long_least, [], "enormous", ["full"]),
    ]:
        native.sh_test(
            name = "%s_%s" % (name, variant),
            srcs = ["run.sh"],
            args = ["$(location :%s)" % program, "tests/fuzz/corpus/" + name, str(seconds), str(executions)] + options,
            data = [":" + program] + native.glob(["corpus/%s/*" % name]),
            size = size,
            tags = tags,
        )
