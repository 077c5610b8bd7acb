#!/usr/bin/env bash
# check_format.sh: fails if clang-format 14 would change a source file, and says where.
set -euo pipefail
cd "$(dirname "$0")/.."
git ls-files '*.h' '*.cpp' '*.cu' '*.cuh' | xargs clang-format-14 --dry-run -Werror
