#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Lets bazel run lint.py, which needs nothing but the machine's python3.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME="${HOME:-/}" LC_ALL=C.UTF-8
exec python3 -B tests/lint/lint.py "$@"
