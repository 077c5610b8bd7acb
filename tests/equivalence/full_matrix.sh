#!/usr/bin/env bash
# Every model on every mesh: what takes too long for each run of ctest. After scripts/test.sh.
# The families and fixtures on the host, in fp32 and bf16, whose worst errors it prints as the table of docs/correctness.md; then the
# fixtures on one emulated GPU, and on eight over NCCL.
set -euo pipefail
cd "$(dirname "$0")/../.."
build/release/bin/equivalence_families_test --gtest_filter='*FullMatrix*' --gtest_brief=1
exec build/release/bin/equivalence_cuda_test --gtest_filter='*FullMatrix*'
