#!/usr/bin/env bash
# run.sh BIN AUTOTP_RUN: AUTOTP_RUN, which ThreadSanitizer watches, runs plans that BIN/autotp-compile writes over
# threads, and ends with the weights that BIN/autotp-run ends with, bit for bit.
set -euo pipefail
cd "$(dirname "$0")/../.."
bin=$1
watched=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# same FIXTURE FLAGS...: one plan, run by both.
same() {
  local fixture=tests/fixtures/$1
  local run=("$work/plan" --feed "$fixture/batch.npz" --steps 2 --threads 1 --quiet)
  "$bin/autotp-compile" "$fixture/model.onnx" "${@:2}" --shard all -o "$work/plan" >/dev/null
  "$bin/autotp-run" "${run[@]}" --save-weights "$work/expected"
  "$watched" "${run[@]}" --save-weights "$work/watched"
  cmp "$work/expected" "$work/watched"
  echo "$*: the same weights"
}

same mlp --tp 1 --dp 2 --zero 2
same mlp --tp 2 --dp 2 --zero 2
same mlp --tp 3 --dp 2 --zero 3
same llama --tp 2 --dp 2 --zero 2 --micro-batch 1 --sequence-parallel
same llama --tp 2 --dp 2 --zero 3 --micro-batch 2 --recompute layer
