#!/usr/bin/env python3
"""Every kernel of the cpu device alone beside what the machine could do, with AVX2 and with AVX-512, as a table for docs/performance.md.

Usage: bench/roofline.py [--bin FOLDER] [--threads N] [--rounds N]

The least time of a kernel is that of its floating-point operations at the rate of a large product, or of its bytes at that at which
AdamW passes over memory, whichever is longer; the table has what share of the measured time that is. More than 100 %: its operands
stay in caches. The median of the rounds counts, in which the instruction sets take turns.
"""
import argparse
import json
import statistics
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SETS = {"AVX2": "x86-64-v3", "AVX-512": "x86-64-v4"}


def measured(binary, threads, instruction_set):
    """{kernel: (us, FLOP/s or 0, bytes/s)}"""
    out = subprocess.run([str(binary), f"--threads={threads}", f"--instruction-set={instruction_set}", "--benchmark_format=json"],
                         check=True, capture_output=True, text=True).stdout
    return {b["name"].split("/")[0]: (b["real_time"] / 1e3, b.get("FLOP/s", 0), b["bytes/s"])
            for b in json.loads(out)["benchmarks"] if "error_occurred" not in b}


def share(row, product, copy):
    """Of the measured time, that of the roofline."""
    _, flops, moved = row
    return max(flops / product, moved / copy)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=Path, default=ROOT / "build" / "release" / "bin")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    rounds = {name: [] for name in SETS}
    for _ in range(args.rounds):
        for name, instruction_set in SETS.items():
            rounds[name].append(measured(args.bin / "cpu_kernels", args.threads, instruction_set))
    medians = {name: {kernel: tuple(statistics.median(r[kernel][i] for r in all_of) for i in range(3)) for kernel in all_of[0]}
               for name, all_of in rounds.items()}
    for name, rows in medians.items():
        print(f"{name}: a large product {rows['large product'][1] / 1e9:.0f} GFLOP/s, AdamW {rows['AdamW'][2] / 1e9:.1f} GB/s")
    print("\n| kernel | " + " | ".join(f"{name}, us | share" for name in SETS) + " |\n|---|" + "---|" * (2 * len(SETS)))
    for kernel in next(iter(medians.values())):
        cells = []
        for rows in medians.values():
            best = share(rows[kernel], rows["large product"][1], rows["AdamW"][2])
            cells += [f"{rows[kernel][0]:.0f}", f"{100 * best:.0f} %"]
        print(f"| {kernel} | " + " | ".join(cells) + " |")


main()
