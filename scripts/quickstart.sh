#!/usr/bin/env bash
# From a bare Debian 12 to a training Llama: installs, builds, writes a small model as ONNX, shards it over tp 2 x dp 2 with
# ZeRO-2, and trains it on this repository's own prose, all ranks in one process. A second run skips what is done.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf '\n== %s\n' "$*"; }
say "1/5 packages"
scripts/install_packages.sh
say "2/5 build (the first time some minutes)"
if [ ! -f build/release/build.ninja ]; then cmake --preset release >/dev/null; fi
cmake --build --preset release -j "$(nproc)" --target autotp-compile autotp-run autotp-model autotp-plan
bin=build/release/bin work=build/quickstart
mkdir -p "$work"
say "3/5 a small Llama as ONNX, from models/quickstart/config.json"
$bin/autotp-model llama --config models/quickstart/config.json --seq 128 --batch 4 --seed 1 -o "$work/model.onnx"
say "4/5 compile for tp 2 x dp 2, ZeRO-2"
$bin/autotp-compile "$work/model.onnx" --tp 2 --dp 2 --zero 2 --shard all --lr 3e-3 -o "$work/plan"
say "5/5 train on text: bytes are tokens"
cat README.md docs/*.md >"$work/corpus.txt"
$bin/autotp-run "$work/plan" --data "$work/corpus.txt" --steps 60
