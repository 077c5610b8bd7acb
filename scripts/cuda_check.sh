#!/usr/bin/env bash
# Checks the cuda device on a real GPU, on a machine with the CUDA Toolkit but no network and no development packages.
#
#   scripts/cuda_check.sh pack [ARCHITECTURES]   on Debian 12 with nvcc: builds the programs into build/cuda-bundle.tar.gz
#                                                (default 90; "80;90" for both; under 60 MiB)
#   scripts/cuda_check.sh run [--json FILE]      on the GPU's machine, from a tree into which that file was copied, at the
#                                                same place: conformance, equivalence to PyTorch's recorded numbers,
#                                                compute-sanitizer, benchmarks; under 9 minutes
#
# The bundle holds stripped programs and every library they need except the driver's and cuBLASLt: that is the
# toolkit's, of the same major version as the one that packed (CUDA_HOME or /usr/local/cuda). Where the host's C library
# is older than Debian 12's, programs start with the bundle's own. The compiler is part of it; the cpu device and its
# oneDNN are not, nor is NCCL: ranks share one GPU.
# Each step ends with a line PASS, FAIL or SKIPPED; the exit code is 1 where one failed.
set -euo pipefail
cd "$(dirname "$0")/.."
bundle=build/cuda-bundle work=build/cuda-check failed=0
programs=(conformance_gpu_test equivalence_gpu_test cuda_kernels autotp-model autotp-compile autotp-run)
export CUDA_VISIBLE_DEVICES=${CUDA_VISIBLE_DEVICES:-0}

pack() {
  local ccache=()
  command -v ccache >/dev/null && ccache=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache -DCMAKE_CUDA_COMPILER_LAUNCHER=ccache)
  cmake -B build/cuda-pack -G Ninja -DAUTOTP_DEPS_DIR="$PWD/build/deps" -DAUTOTP_TEST_ROOT=. -DAUTOTP_WITH_CPU=OFF \
    -DAUTOTP_WITH_MPI=OFF -DAUTOTP_WITH_GLOO=OFF -DAUTOTP_WITH_NCCL=OFF -DProtobuf_USE_STATIC_LIBS=ON -DAUTOTP_CUDA_ARCHITECTURES="${1:-90}" \
    -DCMAKE_EXE_LINKER_FLAGS=-Wl,--as-needed "${ccache[@]}" >/dev/null
  cmake --build build/cuda-pack -j "${JOBS:-$(nproc)}" --target "${programs[@]}"
  rm -rf "$bundle"
  mkdir -p "$bundle/bin" "$bundle/lib"
  local program library
  for program in "${programs[@]}"; do
    strip -o "$bundle/bin/$program" "build/cuda-pack/bin/$program"
    for library in $(ldd "build/cuda-pack/bin/$program" | grep -o '/[^ ]*'); do
      case "$library" in *libcublas* | *libcuda.so*) ;; *) cp -Lu "$library" "$bundle/lib/" ;; esac
    done
  done
  tar -czf "$bundle.tar.gz" -C "${bundle%/*}" "${bundle##*/}"
  echo "$bundle.tar.gz: $(du -sm "$bundle.tar.gz" | cut -f1) MiB, for compute capability ${1:-90}; copy it to the same place there"
}

verdict() { # NAME STATUS [WHY]: 0 is a pass
  if [ "$2" -eq 0 ]; then echo "PASS $1"; else echo "FAIL $1 ${3:-(exit code $2)}"; failed=1; fi
}

# The program's command line, in `start`: direct, or by the bundle's own loader.
choose_start() {
  local home=${CUDA_HOME:-/usr/local/cuda} toolkit
  toolkit=$home/lib64:$home/lib:$home/targets/x86_64-linux/lib
  chmod +x "$bundle"/bin/* "$bundle"/lib/ld-linux-x86-64.so.2
  export LD_LIBRARY_PATH=$toolkit${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
  start=()
  if ! "$bundle/bin/conformance_gpu_test" --gtest_list_tests >/dev/null 2>&1; then
    start=("$bundle/lib/ld-linux-x86-64.so.2" --library-path "$bundle/lib:$LD_LIBRARY_PATH")
    "${start[@]}" "$bundle/bin/conformance_gpu_test" --gtest_list_tests >/dev/null || {
      echo "FAIL start: the programs find no libcublasLt; set CUDA_HOME to a toolkit of the version that packed them"
      exit 1
    }
  fi
}

# What a test program says of the device: NAME PROGRAM SECONDS
gpu_tests() {
  local status=0 log=$work/$1.log
  timeout "$3" "${start[@]}" "$bundle/bin/$2" --gtest_brief=1 >"$log" 2>&1 || status=$?
  tail -n 12 "$log"
  if grep -q 'error: cuda device' "$log"; then
    verdict "$1" 1 "(no test ran on the GPU)"
  else
    verdict "$1" "$status"
  fi
}

sanitize() {
  local tool status checker
  checker=$(command -v compute-sanitizer || echo "${CUDA_HOME:-/usr/local/cuda}/bin/compute-sanitizer")
  for tool in memcheck racecheck synccheck; do
    if [ ! -x "$checker" ]; then echo "SKIPPED $tool: there is no compute-sanitizer"; continue; fi
    status=0
    timeout 30 "$checker" --tool "$tool" --target-processes all --error-exitcode 1 "${start[@]}" \
      "$bundle/bin/conformance_gpu_test" --gtest_brief=1 \
      --gtest_filter='Elementwise.SpecialValues:Rows.SoftmaxAndItsGradient:Rows.Norms:Movement.GatherAndScatterAdd' \
      >"$work/$tool.log" 2>&1 || status=$?
    [ "$status" -eq 0 ] || tail -n 20 "$work/$tool.log"
    verdict "$tool" "$status"
  done
}

# Trains the Llama-3.2-1B shape, 8 steps of batch 4 x 1024, in fp32, tf32 and bf16: the arguments for cuda_kernels in `steps`.
training_steps() {
  local model=$work/1b.onnx status=0 precision
  "${start[@]}" "$bundle/bin/autotp-model" llama --config bench/llama_3.2_1b.json --batch 4 --seq 1024 --no-weights \
    -o "$model" || status=$?
  for precision in fp32 tf32 bf16; do
    local plan=$work/1b.$precision dtype=$precision rounds=()
    if [ "$precision" = tf32 ]; then dtype=fp32 rounds=(--tf32); fi
    rm -rf "$plan" "$plan.jsonl"
    if [ "$status" -eq 0 ] &&
      "${start[@]}" "$bundle/bin/autotp-compile" "$model" --device cuda --dtype "$dtype" --weights none -o "$plan" \
        >"$plan.log" &&
      timeout 40 "${start[@]}" "$bundle/bin/autotp-run" "$plan" --steps 8 "${rounds[@]}" --log "$plan.jsonl" --quiet; then
      steps+=(--step "$precision=$plan.jsonl")
      verdict "training step, $precision" 0
    else
      verdict "training step, $precision" 1
    fi
  done
}

benchmarks() {
  local status=0 torch=() steps=()
  training_steps
  if python3 -c 'import torch, sys; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then
    timeout 100 python3 bench/cuda_torch.py bench/llama_3.2_1b.json "$work/torch.json" || status=$?
    verdict "PyTorch's times" "$status"
    [ "$status" -eq 0 ] && torch=(--torch "$work/torch.json")
  else
    echo "SKIPPED PyTorch's times: python3 has no torch that sees the GPU"
  fi
  status=0
  timeout 80 "${start[@]}" "$bundle/bin/cuda_kernels" "${steps[@]}" "${torch[@]}" --json "$1" || status=$?
  verdict benchmarks "$status"
}

run() {
  local json=$work/figures.json
  if [ "${1:-}" = --json ]; then json=${2:?--json needs a file}; fi
  if ! compgen -G '/dev/nvidia[0-9]*' >/dev/null; then
    echo "FAIL: this machine has no NVIDIA GPU (no /dev/nvidia0)"
    exit 1
  fi
  if [ ! -f "$bundle.tar.gz" ]; then
    echo "FAIL: $bundle.tar.gz is missing: make it with 'scripts/cuda_check.sh pack' and copy it here"
    exit 1
  fi
  mkdir -p "$work"
  tar -xzf "$bundle.tar.gz" -C "${bundle%/*}"
  choose_start
  gpu_tests conformance conformance_gpu_test 60
  gpu_tests equivalence equivalence_gpu_test 80
  sanitize
  benchmarks "$json"
  exit "$failed"
}

case "${1:-}" in
  pack) shift; pack "$@" ;;
  run) shift; run "$@" ;;
  *) sed -n '2,9p' "$0"; exit 2 ;;
esac
