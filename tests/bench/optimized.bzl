# SPDX-License-Identifier: Apache-2.0
"""optimized(name, program): the program as it is shipped (-c opt, no debug checks), however the rest is built.

A benchmark of an unoptimized build measures the compiler.
"""

def _opt_impl(_settings, _attr):
    return {"//command_line_option:compilation_mode": "opt"}

_opt = transition(
    implementation = _opt_impl,
    inputs = [],
    outputs = ["//command_line_option:compilation_mode"],
)

def _optimized_impl(ctx):
    program = ctx.attr.program[0][DefaultInfo]  # a list, as every attribute with a transition
    out = ctx.actions.declare_file(ctx.label.name + "/" + program.files_to_run.executable.basename)
    ctx.actions.symlink(output = out, target_file = program.files_to_run.executable, is_executable = True)
    return [DefaultInfo(executable = out, files = depset([out]), runfiles = program.default_runfiles)]

optimized = rule(
    implementation = _optimized_impl,
    executable = True,
    attrs = {
        "program": attr.label(mandatory = True, executable = True, cfg = _opt),
        "_allowlist_function_transition": attr.label(
            default = "@bazel_tools//tools/allowlists/function_transition_allowlist",
        ),
    },
)
