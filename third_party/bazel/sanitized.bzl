# SPDX-License-Identifier: Apache-2.0
"""A cc_test once more, built with sanitizers, as a test beside it.

    sanitized("ring_test")                      # ring_test_asan: address and undefined behaviour
    sanitized("life_test", threads = True)      # and life_test_tsan

A configuration transition builds the program and all of the tree that it needs a second time; Debian's libraries stay as
they are. The launcher refuses a program without instrumentation, so that a transition that does nothing can't look green.
`--config=asan` and its like (.bazelrc) do the same to a whole run.
"""

# By the name of the sanitizer: what compiler and linker are told, what the program then has in it, what it's told.
_SANITIZERS = {
    "asan": struct(
        flags = ["-fsanitize=address,undefined"],
        copts = ["-fno-omit-frame-pointer", "-fno-sanitize-recover=all"],
        symbols = ["__asan_init", "__ubsan_handle"],
        env = {
            "ASAN_OPTIONS": "halt_on_error=1:detect_stack_use_after_return=1:strict_string_checks=1",
            "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
        },
    ),
    "tsan": struct(
        flags = ["-fsanitize=thread"],
        copts = [],
        symbols = ["__tsan_init"],
        env = {"TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1"},
    ),
}

_COPT = "//command_line_option:copt"
_LINKOPT = "//command_line_option:linkopt"
_STRIP = "//command_line_option:strip"
_DYNAMIC_MODE = "//command_line_option:dynamic_mode"

def _sanitize_impl(settings, attr):
    sanitizer = _SANITIZERS[attr.sanitizer]

    # under --config=tsan an asan test stays an asan test
    return {
        _COPT: [o for o in settings[_COPT] if not o.startswith("-fsanitize")] +
               sanitizer.flags + sanitizer.copts + ["-O1", "-g1"],
        _LINKOPT: [o for o in settings[_LINKOPT] if not o.startswith("-fsanitize")] + sanitizer.flags,
        _STRIP: "never",
        # one program, no shared objects of ours: half the links, and the launcher sees all symbols
        _DYNAMIC_MODE: "off",
    }

_sanitize = transition(
    implementation = _sanitize_impl,
    inputs = [_COPT, _LINKOPT],
    outputs = [_COPT, _LINKOPT, _STRIP, _DYNAMIC_MODE],
)

def _sanitized_test_impl(ctx):
    sanitizer = _SANITIZERS[ctx.attr.sanitizer]
    test = ctx.attr.test[0]
    program = test[DefaultInfo].files_to_run.executable
    launcher = ctx.actions.declare_file(ctx.label.name)
    ctx.actions.write(launcher, is_executable = True, content = """#!/bin/bash
# Written by sanitized.bzl for {label}.
program=${{RUNFILES_DIR:-${{TEST_SRCDIR:-$0.runfiles}}}}/{workspace}/{program}
for symbol in {symbols}; do
    grep -qaF "$symbol" "$program" || {{ echo "FAIL: {program} is not instrumented: no $symbol in it"; exit 1; }}
done
export {env}
must_report={must_report}
[ "$must_report" ] || exec "$program" "$@"

# the sanitizers' own test
if report=$("$program" "$@" 2>&1); then
    echo "FAIL: nothing reported, '$must_report' expected"
    exit 1
fi
grep -E "$must_report" <<<"$report" || {{ printf 'FAIL: no "%s" in\\n%s\\n' "$must_report" "$report"; exit 1; }}
""".format(
        label = ctx.label,
        workspace = ctx.workspace_name,
        program = program.short_path,
        symbols = " ".join(sanitizer.symbols),
        env = " ".join(["%s='%s'" % pair for pair in sanitizer.env.items()]),
        must_report = "'" + ctx.attr.must_report + "'",
    ))
    runfiles = ctx.runfiles([program]).merge(test[DefaultInfo].default_runfiles)
    return [DefaultInfo(executable = launcher, runfiles = runfiles)]

sanitized_test = rule(
    doc = "Runs a program built with a sanitizer.",
    implementation = _sanitized_test_impl,
    test = True,
    attrs = {
        "test": attr.label(mandatory = True, cfg = _sanitize, doc = "the cc_test or cc_binary"),
        "sanitizer": attr.string(mandatory = True, values = _SANITIZERS.keys()),
        "must_report": attr.string(doc = "the run must fail, and say this (a pattern of grep -E)"),
        "_allowlist_function_transition": attr.label(
            default = "@bazel_tools//tools/allowlists/function_transition_allowlist",
        ),
    },
)

def sanitized(test, threads = False, size = "small", tags = [], **kwargs):
    """The sanitized variants of a cc_test of the same package.

    Args:
      test: its name
      threads: it has more than one thread: run it with ThreadSanitizer, too
      size: bazel's, for its time limit
      tags: more tags
      **kwargs: args, data, …
    """
    for sanitizer in ["asan", "tsan"] if threads else ["asan"]:
        sanitized_test(
            name = "%s_%s" % (test, sanitizer),
            test = ":" + test,
            sanitizer = sanitizer,
            size = size,
            tags = tags + ["sanitized"],
            **kwargs
        )
