#!/usr/bin/env bash
# check_aarch64.sh: compiles the runtime for aarch64 with Debian's cross compiler, object by object, and links nothing: whether
# the source is free of what only x86-64 has. Needs a build of the release preset, for plan.pb.h.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v aarch64-linux-gnu-g++ > /dev/null || { echo "install g++-aarch64-linux-gnu" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Headers of libraries that are the same for every processor; all of /usr/include would bring x86-64's own.
for headers in /usr/include/dnnl* /usr/include/oneapi /usr/include/google /usr/include/xxhash.h; do
  [ ! -e "$headers" ] || cp -r "$headers" "$work"
done
status=0
for source in runtime/{base,plan,plan/kernels,execute,train,data,device,device/cpu,comm/launch,comm/local}/*.cpp; do
  aarch64-linux-gnu-g++ -std=c++20 -O1 -fopenmp -fno-math-errno -fno-trapping-math -w -DAUTOTP_CPU_KERNELS=kernels -DAUTOTP_CPU_HAS_base \
    -I. -isystem build/release -isystem /usr/lib/llvm-14/include -isystem "$work" -c "$source" -o "$work/object.o" || { echo "failed: $source"; status=1; }
done
[ $status -eq 0 ] && echo "the runtime compiles for aarch64"
exit $status
