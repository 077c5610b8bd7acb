#!/usr/bin/env python3
"""Compiles the hot kernels of the cuda device for each architecture and fails where one keeps registers in memory.

usage: check_spills.py --nvcc NVCC --architectures 80,90 [--include DIR]...
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile

HOT = ["attention", "attention_grad", "norm", "norm_grad", "softmax", "cross_entropy", "optimizer"]
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def report(nvcc, architecture, source, includes, folder):
    """What ptxas says of each kernel of one file: its name and its line of spills."""
    command = [nvcc, "-std=c++20", "-cubin", "-arch=sm_" + architecture, "-Xptxas=-v", "-I" + ROOT]
    for include in includes:
        command += ["-isystem", include]
    command += [os.path.join(ROOT, "runtime/device/cuda", source + ".cu"), "-o", os.path.join(folder, "kernels.cubin")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    pattern = r"Compiling entry function '(\S+)'.*?(\d+) bytes spill stores, (\d+) bytes spill loads"
    found = re.findall(pattern, done.stdout + done.stderr, re.DOTALL)
    if not found:
        sys.exit("ptxas says nothing of spills in " + source + ".cu: its output has another form")
    return [(name, int(stores), int(loads)) for name, stores, loads in found]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nvcc", required=True)
    parser.add_argument("--architectures", required=True)
    parser.add_argument("--include", action="append", default=[])
    options = parser.parse_args()
    kernels, spills = 0, []
    with tempfile.TemporaryDirectory() as folder:
        for architecture in options.architectures.split(","):
            for source in HOT:
                for name, stores, loads in report(options.nvcc, architecture, source, options.include, folder):
                    kernels += 1
                    if stores or loads:
                        spills.append(f"sm_{architecture} {source}.cu {name}: {stores} bytes stored, {loads} loaded")
    print("\n".join(spills))
    print(f"{kernels} kernels, {len(spills)} spill")
    return 1 if spills else 0


if __name__ == "__main__":
    sys.exit(main())
