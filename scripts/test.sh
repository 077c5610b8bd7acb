#!/usr/bin/env bash
# Installs what tests need, builds, and runs every test. --sanitizers also builds the dev preset (AddressSanitizer and
# UBSan) and runs the tests labelled `sanitize` there, and the tsan preset (ThreadSanitizer) for those labelled `threads`.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install_packages.sh
launcher=()
command -v ccache >/dev/null && launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
cmake --preset release "${launcher[@]}"
cmake --build --preset release -j "$(nproc)"
ctest --test-dir build/release --output-on-failure
if [ "${1:-}" = "--sanitizers" ]; then
  cmake --preset dev "${launcher[@]}"
  cmake --build --preset dev -j "$(nproc)"
  ctest --test-dir build/dev --output-on-failure -L sanitize
  cmake --preset tsan "${launcher[@]}"
  cmake --build --preset tsan -j "$(nproc)" --target runtime_comm_test runtime_execute_test runtime_meeting_test runtime_nccl_test equivalence_fixtures_test
  TSAN_OPTIONS="suppressions=$PWD/cmake/tsan.supp" OMP_NUM_THREADS=1 ctest --test-dir build/tsan --output-on-failure -L threads
fi
