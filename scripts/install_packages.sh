#!/usr/bin/env bash
# Installs what autotp builds with, from Debian's packages: only what is missing, so a second run does nothing.
set -euo pipefail
packages=(build-essential cmake ninja-build ccache python3 python3-pip python3-venv ca-certificates libprotobuf-dev protobuf-compiler
          llvm-14-dev clang-14 clang-format-14 clang-tidy-14 libclang-rt-14-dev libomp-14-dev zlib1g-dev libxxhash-dev libdnnl-dev libgtest-dev
          libbenchmark-dev libopenmpi-dev openmpi-bin libgloo-dev)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0
echo "installing: ${missing[*]}"
sudo=""
[ "$(id -u)" -eq 0 ] || sudo=sudo
$sudo apt-get update -qq
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
