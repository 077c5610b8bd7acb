#!/usr/bin/env python3
"""A training step of autotp beside one of tuned PyTorch eager: float32, one rank, 2 threads, the two programs in turn.

Usage: bench/compare_torch.py [--model S|M] [--rounds N] [--steps N]      needs build/release (scripts/test.sh builds it)

Tuned means: tcmalloc preloaded (Debian's libtcmalloc-minimal4), and a library of one function that lets MKL use its AVX-512
kernels on AMD processors. PyTorch is installed into build/bench/venv on the first run. A round runs each program once and
takes the median of its steps but the first 3; the ratio is the median over rounds of autotp / PyTorch.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "build" / "bench"
BIN = ROOT / "build" / "release" / "bin"
TCMALLOC = "/usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4"
THREADS = 2
LLAMA = {"model_type": "llama", "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu"}
MODELS = {  # name: (config, batch, seq)
    "S": ({"hidden_size": 256, "num_hidden_layers": 4, "num_attention_heads": 8, "num_key_value_heads": 4,
           "intermediate_size": 688, "vocab_size": 4096, "tie_word_embeddings": False}, 4, 256),
    "M": ({"hidden_size": 576, "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3,
           "intermediate_size": 1536, "vocab_size": 49152, "tie_word_embeddings": True}, 1, 512),
}


def run(*command):
    subprocess.run([str(c) for c in command], check=True, stdout=subprocess.DEVNULL)


def prepare_torch():
    """The venv's python and the environment that tunes it."""
    python, shim = WORK / "venv" / "bin" / "python", WORK / "mkl_shim.so"
    if not python.exists():
        run(sys.executable, "-m", "venv", WORK / "venv")
    if subprocess.run([python, "-c", "import torch, numpy"], stderr=subprocess.DEVNULL).returncode:
        run(python, "-m", "pip", "install", "-q", "torch", "numpy")
    if not Path(TCMALLOC).exists():
        sys.exit(f"error: {TCMALLOC} is missing\n  do:  apt-get install libtcmalloc-minimal4")
    subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", shim], check=True, text=True,
                   input="int mkl_serv_intel_cpu_true(void) { return 1; }")
    return python, {**os.environ, "LD_PRELOAD": f"{TCMALLOC}:{shim}"}


def prepare_plan(name):
    config, batch, seq = MODELS[name]
    config_file, model, plan = (WORK / f"{name}{end}" for end in (".json", ".onnx", ".plan"))
    config_file.write_text(json.dumps(LLAMA | config))
    run(BIN / "autotp-model", "llama", "--config", config_file, "--batch", batch, "--seq", seq, "--no-weights", "-o", model)
    run("rm", "-rf", plan)
    run(BIN / "autotp-compile", model, "--weights", "none", "-o", plan)
    return config_file, plan


def torch_step(peer, config_file, batch, seq, steps):
    python, environment = peer
    out = subprocess.run([python, ROOT / "bench" / "torch_step.py", config_file, *map(str, (batch, seq, steps, THREADS))],
                         env=environment, check=True, capture_output=True, text=True).stdout
    return statistics.median(json.loads(out)[3:])


def autotp_step(plan, steps):
    """Median ms of a step, peak resident MiB."""
    log = WORK / "autotp.jsonl"
    log.unlink(missing_ok=True)
    child = subprocess.Popen([BIN / "autotp-run", plan, "--steps", str(steps), "--threads", str(THREADS), "--log", log,
                              "--quiet"])
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        sys.exit("error: autotp-run failed")
    times = [json.loads(line)["ms"] for line in log.read_text().splitlines()]
    return statistics.median(times[3:]), usage.ru_maxrss / 1024


def compare(name, rounds, steps, peer):
    config_file, plan = prepare_plan(name)
    _, batch, seq = MODELS[name]
    ours, theirs, resident = [], [], 0
    for _ in range(rounds):
        theirs.append(torch_step(peer, config_file, batch, seq, steps))
        ms, peak = autotp_step(plan, steps)
        ours.append(ms)
        resident = max(resident, peak)
    ratio = statistics.median(o / t for o, t in zip(ours, theirs))
    print(f"{name}: autotp {statistics.median(ours):.0f} ms, PyTorch {statistics.median(theirs):.0f} ms, "
          f"ratio {ratio:.2f} (rounds {', '.join(f'{o / t:.2f}' for o, t in zip(ours, theirs))}); "
          f"autotp's peak resident {resident:.0f} MiB", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=MODELS, action="append", help="default: both")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=8, help="of each run, the first 3 not counted")
    args = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    peer = prepare_torch()
    for name in args.model or MODELS:
        compare(name, args.rounds, args.steps, peer)


main()
