#!/usr/bin/env bash
# Every fixture on every mesh on one emulated GPU, and on eight over NCCL: what takes too long for each run of ctest. After scripts/test.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec build/release/bin/equivalence_cuda_test --gtest_filter='*FullMatrix*'
