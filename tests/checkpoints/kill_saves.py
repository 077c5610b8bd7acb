#!/usr/bin/env python3
"""kill_saves.py BIN [POINTS]: kills autotp-run at random moments of a training that saves after every step, and shows that the
newest whole checkpoint is always the one that an undisturbed run wrote, byte for byte, and that `--resume auto` goes on from it.
With --keep some points lie within a deletion: what is left of that checkpoint goes with the next deletion.
Then the same for autotp-compile: the plan that was there stays whole until the new one is."""
import filecmp
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN, POINTS = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 12
MODEL = f"{ROOT}/tests/fixtures/llama/model.onnx"
STEPS = 6


def compile_command(out, *flags):
    return [f"{BIN}/autotp-compile", MODEL, "--tp", "2", "--dp", "2", "--zero", "2", "--shape", "seq=32", "--shard", "all",
            *flags, "-o", out]


def run_command(plan, save, *flags):
    return [f"{BIN}/autotp-run", plan, "--steps", str(STEPS), "--threads", "1", "--save", save, "--save-every", "1", "--resume",
            "auto", *flags]


def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout


def killed(command, seconds):
    """Whether the command was killed before it ended."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def steps_in(folder):
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return sorted(int(name[5:]) for name in names if name.startswith("step-") and name[5:].isdigit())


def files_in(folder):
    return sorted(os.path.relpath(os.path.join(at, name), folder) for at, _, files in os.walk(folder) for name in files)


def is_part(folder, other):
    """Whether each file of a folder is one of the other's, byte for byte."""
    return not any(filecmp.cmpfiles(folder, other, files_in(folder), shallow=False)[1:])


def is_same(folder, other):
    return files_in(folder) == files_in(other) and is_part(folder, other)


def kill_saves(work, flags):
    plan = f"{work}/plan"
    began = time.time()
    whole = run(run_command(plan, f"{work}/undisturbed", *flags))
    length = time.time() - began
    if "--keep" in flags:
        shutil.rmtree(f"{work}/undisturbed")
        run(run_command(plan, f"{work}/undisturbed"))
    losses = [line.split(" tokens")[0] for line in whole.splitlines() if line.startswith("step ")]
    hits = 0
    for point in range(POINTS):
        save = f"{work}/killed"
        shutil.rmtree(save, ignore_errors=True)
        hits += killed(run_command(plan, save, *flags), random.uniform(0.05, length))
        steps = steps_in(save)
        for step in steps:
            is_whole = is_part if step < steps[-1] and "--keep" in flags else is_same
            if not is_whole(f"{save}/step-{step}", f"{work}/undisturbed/step-{step}"):
                sys.exit(f"point {point}: step {step} is not as an undisturbed run wrote it")
        printed = run(run_command(plan, save, *flags))
        if steps and f"resumed {save}/step-{steps[-1]}" not in printed:
            sys.exit(f"point {point}: {printed}")
        again = [line.split(" tokens")[0] for line in printed.splitlines() if line.startswith("step ")]
        if again != losses[steps[-1] if steps else 0:]:
            sys.exit(f"point {point}: other losses after step {steps[-1:]}: {again}, not {losses}")
        if not is_same(f"{save}/step-{STEPS}", f"{work}/undisturbed/step-{STEPS}"):
            sys.exit(f"point {point}: it ends elsewhere")
        is_saved = steps[-1:] != [STEPS]  # else nothing was left to do
        if "--keep" in flags and is_saved and steps_in(save) != [STEPS - 1, STEPS]:
            sys.exit(f"point {point}: it keeps {steps_in(save)}")
    print(f"saves {' '.join(flags)}: killed at {hits} of {POINTS} points, each time the newest whole checkpoint is right")


def kill_compiles(work):
    began = time.time()
    run(compile_command(f"{work}/old", "--lr", "1e-3"))
    length = time.time() - began
    run(compile_command(f"{work}/new", "--lr", "2e-3"))
    hits = 0
    for point in range(POINTS):
        out = f"{work}/out"
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(f"{work}/old", out)
        hits += killed(compile_command(out, "--lr", "2e-3"), random.uniform(0.0, length))
        if not is_same(out, f"{work}/old") and not is_same(out, f"{work}/new"):
            sys.exit(f"point {point}: {out} is neither the old plan nor the new one")
    print(f"compiles: killed at {hits} of {POINTS} points, each time the plan is whole")


def main():
    random.seed(1)
    with tempfile.TemporaryDirectory() as work:
        run(compile_command(f"{work}/plan"))
        kill_saves(work, [])
        shutil.rmtree(f"{work}/undisturbed")
        kill_saves(work, ["--save-async"])
        shutil.rmtree(f"{work}/undisturbed")
        kill_saves(work, ["--save-async", "--keep", "2"])
        kill_compiles(work)


main()
