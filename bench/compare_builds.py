#!/usr/bin/env python3
"""A training step of one model by two builds of autotp, in turn: float32, one rank, 2 threads, random weights.

Usage: bench/compare_builds.py MODEL BEFORE AFTER [--rounds N] [--steps N] [-- FLAG...]

BEFORE and AFTER are folders with autotp-compile and autotp-run; FLAGs go to both compilers (--shape, --micro-batch). A round
runs each once and takes the median of its steps but the first 3; the ratio is the median over rounds of after / before.
"""
import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path


def compiled(binaries, model, flags, plan):
    subprocess.run([binaries / "autotp-compile", model, "--weights", "none", "-o", plan, *flags], check=True,
                   stdout=subprocess.DEVNULL)
    return binaries / "autotp-run", plan


def step_ms(run, plan, steps, log):
    subprocess.run([run, plan, "--steps", str(steps), "--threads", "2", "--log", log, "--quiet"], check=True)
    return statistics.median([json.loads(line)["ms"] for line in log.read_text().splitlines()][3:])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=8, help="of each run, the first 3 not counted")
    given, _, flags = " ".join(sys.argv[1:]).partition(" -- ")
    args = parser.parse_args(given.split())
    with tempfile.TemporaryDirectory() as folder:
        builds = [compiled(args.before, args.model, flags.split(), Path(folder) / "before"),
                  compiled(args.after, args.model, flags.split(), Path(folder) / "after")]
        times = []
        for number in range(args.rounds):
            log = Path(folder) / "log.jsonl"
            pair = {}
            for build in builds if number % 2 == 0 else builds[::-1]:  # neither always comes first
                log.unlink(missing_ok=True)
                pair[build] = step_ms(*build, args.steps, log)
            times.append([pair[build] for build in builds])
    ratios = [after / before for before, after in times]
    print(f"before {statistics.median(t[0] for t in times):.1f} ms, after {statistics.median(t[1] for t in times):.1f} ms, "
          f"ratio {statistics.median(ratios):.3f} (rounds {', '.join(f'{r:.3f}' for r in ratios)})")


main()
