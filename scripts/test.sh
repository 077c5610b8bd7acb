#!/usr/bin/env bash
# test.sh [--sanitizers] [-DNAME=VALUE...]: installs what tests need, checks the form of the source, builds, checks the source
# by clang-tidy, and runs every test. --sanitizers also builds the dev preset (AddressSanitizer and UBSan) and runs the tests
# labelled `sanitize` there, and the tsan preset (ThreadSanitizer) for those labelled `threads`. The rest is for cmake.
set -euo pipefail
cd "$(dirname "$0")/.."
sanitizers=false
if [ "${1:-}" = "--sanitizers" ]; then
  sanitizers=true
  shift
fi
scripts/install_packages.sh
scripts/check_format.sh
options=("$@")
command -v ccache >/dev/null && options+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
cmake --preset release "${options[@]}"
cmake --build --preset release -j "$(nproc)"
scripts/check_tidy.sh
ctest --test-dir build/release --output-on-failure -j "$(nproc)"
if $sanitizers; then
  cmake --preset dev -DAUTOTP_UNITY=ON "${options[@]}"
  cmake --build --preset dev -j "$(nproc)" --target tests_sanitize
  ctest --test-dir build/dev --output-on-failure -j "$(nproc)" -L sanitize
  cmake --preset tsan -DAUTOTP_UNITY=ON "${options[@]}"
  cmake --build --preset tsan -j "$(nproc)" --target tests_threads
  TSAN_OPTIONS="suppressions=$PWD/cmake/tsan.supp" OMP_NUM_THREADS=1 ctest --test-dir build/tsan --output-on-failure -L threads
fi
