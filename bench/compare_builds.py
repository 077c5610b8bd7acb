#!/usr/bin/env python3
"""Processor time of a training step of one model by two builds of autotp: float32, one rank, one thread, random weights.

Usage: bench/compare_builds.py MODEL BEFORE AFTER [--rounds N] [--steps N] [-- FLAG...]

BEFORE and AFTER are folders with autotp-compile and autotp-run; FLAGs go to both compilers (--shape, --micro-batch). What
a step takes is the difference of a run of one step and a run of N more, divided by N, so that loading is left out; other
work on the machine changes processor time little. The ratio is the median over rounds of after / before.
"""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path


def compiled(binaries, model, flags, plan):
    subprocess.run([binaries / "autotp-compile", model, "--weights", "none", "-o", plan, *flags], check=True,
                   stdout=subprocess.DEVNULL)
    return binaries / "autotp-run", plan


def processor_seconds(run, plan, steps):
    child = subprocess.Popen([run, plan, "--steps", str(steps), "--threads", "1", "--quiet"])
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        sys.exit("error: autotp-run failed")
    return usage.ru_utime


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=5)
    at = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    args, flags = parser.parse_args(sys.argv[1:at]), sys.argv[at + 1:]
    times = []
    with tempfile.TemporaryDirectory() as folder:
        builds = [compiled(args.before, args.model, flags, Path(folder) / "before"),
                  compiled(args.after, args.model, flags, Path(folder) / "after")]
        for number in range(args.rounds):
            pair = {}
            for build in builds if number % 2 == 0 else builds[::-1]:  # neither always comes first
                once = processor_seconds(*build, 1)
                pair[build] = (processor_seconds(*build, 1 + args.steps) - once) / args.steps
            times.append([pair[build] for build in builds])
    ratios = [after / before for before, after in times]
    before, after = (1000 * statistics.median(column) for column in zip(*times))
    print(f"before {before:.0f} ms, after {after:.0f} ms, ratio {statistics.median(ratios):.3f} "
          f"(rounds {', '.join(f'{ratio:.3f}' for ratio in ratios)})")


main()
