# SPDX-License-Identifier: Apache-2.0
"""Compiler options of every C++ target: copts = UDD_COPTS."""

UDD_COPTS = [
    "-std=c++20",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wshadow",
    "-Wnon-virtual-dtor",
    "-Wold-style-cast",
    "-Wcast-align",
    "-Woverloaded-virtual",
    "-Wconversion",
    "-Wno-sign-conversion",
] + select({
    # The compiler's own default, which bazel turns off: a register more for the bursts.
    "//third_party/bazel:optimized": ["-fomit-frame-pointer"],
    "//conditions:default": [],
})
