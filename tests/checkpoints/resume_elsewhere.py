#!/usr/bin/env python3
"""resume_elsewhere.py BIN: trains the quickstart's model for 40 steps on four ranks, saves at 20, and goes on from there in plans
of other meshes, stages, buckets and dtypes. The same plan has the same losses to the last bit, and the others follow them."""
import json
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.path.abspath(sys.argv[1])
STEPS, SAVED = 40, 20
TWO, FOUR = ["--micro-batch", "2"], ["--micro-batch", "4"]  # of one dp rank: the global batch is 4 always
FIRST, ONE = ["--tp", "2", "--dp", "2", "--zero", "2", *TWO], FOUR
OTHERS = [["--tp", "4", *FOUR], ["--dp", "2", "--zero", "3", *TWO], ONE, [*FIRST, "--bucket-mb", "1"]]
MOST, MOST_OF_BF16 = 2e-4, 2**-7  # the first is the contract's; roundings of 2^-9 went into bf16's parameters for 20 steps


def run(program, *arguments):
    done = subprocess.run([f"{BIN}/{program}", *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{program} {' '.join(arguments)}: {done.stdout}{done.stderr}")


def compiled(work, flags):
    plan = os.path.join(work, "plan" + "".join(flags))
    run("autotp-compile", f"{work}/model.onnx", "--shard", "all", "--lr", "3e-3", *flags, "-o", plan)
    return plan


def losses(work, plan, steps, *flags):
    log = f"{work}/log.jsonl"
    run("autotp-run", plan, "--data", "synthetic:1", "--steps", str(steps), "--threads", "1", "--quiet", "--log", log, *flags)
    with open(log) as lines:
        found = [json.loads(line)["loss"] for line in lines]
    os.remove(log)
    return found


def follows(what, found, expected, most):
    off = max(abs(a / b - 1) for a, b in zip(found, expected))
    print(f"{what}: losses are off by {off:.1e}")
    return len(found) == len(expected) and off <= most


def main():
    with tempfile.TemporaryDirectory() as work:
        run("autotp-model", "llama", "--config", f"{ROOT}/models/quickstart/config.json", "--seq", "32", "--batch", "4", "--seed", "1",
            "-o", f"{work}/model.onnx")
        first, checkpoint = compiled(work, FIRST), f"{work}/ckpt/step-{SAVED}"
        whole = losses(work, first, STEPS)
        losses(work, first, SAVED, "--save", f"{work}/ckpt")
        is_right = follows("the same plan", losses(work, first, STEPS, "--resume", checkpoint), whole[SAVED:], 0)
        for flags in OTHERS:
            found = losses(work, compiled(work, flags), STEPS, "--resume", checkpoint)
            is_right &= follows(" ".join(flags), found, whole[SAVED:], MOST)
        small = compiled(work, [*FIRST, "--dtype", "bf16"])
        losses(work, small, SAVED, "--save", f"{work}/bf16")
        found = losses(work, compiled(work, ONE), STEPS, "--resume", f"{work}/bf16/step-{SAVED}")
        is_right &= follows("fp32 on one rank, from bf16", found, whole[SAVED:], MOST_OF_BF16)
        sys.exit(0 if is_right else 1)


main()
