#!/usr/bin/env bash
# check_tidy.sh [BUILD_DIR]: fails if clang-tidy 14 finds anything, by .clang-tidy, in a source that BUILD_DIR (build/release)
# compiles, outside of tests; and says where. BUILD_DIR must have been built, for the headers that the build writes.
# The sources are grouped by tidy_batches.py; those of a group that do not compile together are checked one by one.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build/release}
if [ ! -f "$build/compile_commands.json" ]; then
  echo "check_tidy.sh: $build/compile_commands.json is missing: configure with 'cmake --preset release', and build" >&2
  exit 1
fi
export batches=$build/tidy
scripts/tidy_batches.py "$build" "$batches"

tidy() { # prints what it finds in a file, without the number of all warnings in headers of others
  local found status=0
  found=$(clang-tidy-14 --quiet --config-file=.clang-tidy --warnings-as-errors='*' -p "$batches" "$1" 2>&1) || status=$?
  grep -vE '^[0-9]+ (warning|error)s?( and [0-9]+ errors?)? (generated|treated as errors?)\.?$' <<<"$found" || true
  return $status
}
check() {
  local found source status=0
  found=$(tidy "$1") || status=$?
  if grep -q clang-diagnostic-error <<<"$found"; then
    found="" status=0
    for source in $(sed -n 's/^#include "\(.*\)".*/\1/p' "$1"); do
      found+=$(tidy "$source") || status=$?
    done
  fi
  [ -z "$found" ] || printf '%s\n' "$found"
  return $status
}
export -f tidy check
find "$batches" -name '*.cpp' | sort | xargs -P "$(nproc)" -I{} bash -c 'check {}'
