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
ctest --test-dir build/release --output-on-failure -j "$(nproc)"
if [ "${1:-}" = "--sanitizers" ]; then
  cmake --preset dev "${launcher[@]}"
  cmake --build --preset dev -j "$(nproc)" --target tests_sanitize
  ctest --test-dir build/dev --output-on-failure -j "$(nproc)" -L sanitize
  cmake --preset tsan "${launcher[@]}"
  cmake --build --preset tsan -j "$(nproc)" --target tests_threads
  TSAN_OPTIONS="suppressions=$PWD/cmake/tsan.supp" OMP_NUM_THREADS=1 ctest --test-dir build/tsan --output-on-failure -L threads
fi
