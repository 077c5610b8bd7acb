#!/usr/bin/env bash
# run.sh BIN AUTOTP_RUN: AUTOTP_RUN, which ThreadSanitizer watches, runs plans that BIN/autotp-compile writes over
# threads. It prints the losses and norms that BIN/autotp-run prints, and two runs end with the same bits. (Between the
# two builds bits may differ: a sanitizer's compiler vectorises fewer sums.)
set -euo pipefail
cd "$(dirname "$0")/../.."
bin=$1
watched=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# same FIXTURE FLAGS...: one plan, run by both.
same() {
  local fixture=tests/fixtures/$1
  local run=("$work/plan" --feed "$fixture/batch.npz" --steps 2 --threads 1)
  "$bin/autotp-compile" "$fixture/model.onnx" "${@:2}" --shard all -o "$work/plan" >/dev/null
  "$bin/autotp-run" "${run[@]}" | sed 's/ tokens.*//' >"$work/expected"
  "$watched" "${run[@]}" --save-weights "$work/first" | sed 's/ tokens.*//' >"$work/printed"
  "$watched" "${run[@]}" --save-weights "$work/second" --quiet
  grep -q "step 2/2 loss" "$work/printed"
  diff "$work/expected" "$work/printed"
  cmp "$work/first" "$work/second"
  echo "$*: the same losses, and the same weights again"
}

same mlp --tp 1 --dp 2 --zero 2
same mlp --tp 2 --dp 2 --zero 2
same mlp --tp 3 --dp 2 --zero 3
same llama --tp 2 --dp 2 --zero 2 --micro-batch 1 --sequence-parallel
same llama --tp 2 --dp 2 --zero 3 --micro-batch 2 --recompute layer
