#!/usr/bin/env python3
"""kill_ranks.py BIN [KILLS]: kills a random rank of a run at a random moment, KILLS times (20), while scripts/keep_running.sh starts
it again and `--resume auto` goes on. The run must end with every loss of an undisturbed one, bit by bit, and leave nothing."""
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN, KILLS = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 20
STEPS, SAVE_EVERY, RANKS = 100 * KILLS, 20, 4


def run_command(folder, log, *flags):
    return [f"{BIN}/autotp-run", f"{folder}/plan", "--steps", str(STEPS), "--threads", "1", "--quiet", "--log", f"{folder}/{log}",
            *flags]


def losses(path):
    """By step. A step that was trained again after a kill must have given the same numbers."""
    found = {}
    with open(path) as lines:
        for step in map(json.loads, lines):
            numbers = (step["loss"], step["grad_norm"])
            assert found.setdefault(step["step"], numbers) == numbers, f"step {step['step']}: {numbers}, not {found[step['step']]}"
    return found


def ranks_of(folder):
    """The processes that train in this folder."""
    found = []
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{process}/cmdline", "rb") as words:
                words = words.read().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"/autotp-run") and f"{folder}/plan".encode() in words:
            found.append(int(process))
    return found


def main():
    chosen = random.Random(7)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([f"{BIN}/autotp-compile", f"{ROOT}/tests/fixtures/llama/model.onnx", "--tp", "2", "--dp", "2", "--shard",
                        "all", "--micro-batch", "2", "-o", f"{folder}/plan"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(run_command(folder, "whole"), check=True)
        command = [f"{ROOT}/scripts/keep_running.sh", str(KILLS), sys.executable, f"{ROOT}/tests/ranks/launch.py", str(RANKS),
                   *run_command(folder, "killed", "--save", f"{folder}/saved", "--save-every", str(SAVE_EVERY), "--keep", "2",
                                "--resume", "auto")]
        run = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        killed = 0
        while killed < KILLS and run.poll() is None:
            time.sleep(chosen.uniform(0.2, 0.8))
            ranks = ranks_of(folder)
            if len(ranks) < RANKS:
                continue
            try:
                os.kill(chosen.choice(ranks), signal.SIGKILL)
            except ProcessLookupError:
                continue
            killed += 1
            while len(ranks_of(folder)) == RANKS or set(ranks_of(folder)) & set(ranks):
                time.sleep(0.01)  # the others end by themselves
        said = run.communicate(timeout=120)[1]
        assert run.returncode == 0, said
        assert losses(f"{folder}/killed") == losses(f"{folder}/whole"), "the losses are others"
        assert not ranks_of(folder), "processes are left"
        kept = sorted(os.listdir(f"{folder}/saved"))
        print(f"{killed} ranks killed; {said.count('error: ')} messages; the losses of {STEPS} steps are the same, bit by bit;"
              f" left in the folder of checkpoints: {', '.join(kept)}")
        assert killed == KILLS, "the run ended before; more steps are needed"


main()
