#!/usr/bin/env python3
"""flip_bytes.py BIN [FLIPS]: changes one random byte of a file, and trains a step with it, FLIPS times (1,000) for each kind of
file: programs, manifests and weights of plans, files of checkpoints, headers of data. A change must be named by one error, or make
no difference to any loss. docs/reliability.md has the table that this prints."""
import collections
import concurrent.futures
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN, FLIPS = os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1000
WORKERS = 2
MLP, LLAMA = f"{ROOT}/tests/fixtures/mlp", f"{ROOT}/tests/fixtures/llama"


def compile_plan(model, out, *flags):
    subprocess.run([f"{BIN}/autotp-compile", f"{model}/model.onnx", "--micro-batch", "2", "-o", out, *flags], check=True,
                   stdout=subprocess.DEVNULL)


def train(folder, arguments):
    """How a run in this folder ends: "detected", "crashed", "hung", or its losses and norms."""
    log = f"{folder}/log"
    if os.path.exists(log):
        os.remove(log)
    command = [f"{BIN}/autotp-run", *arguments, "--threads", "1", "--quiet", "--log", log]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=60)
    except subprocess.TimeoutExpired:
        return "hung"
    if done.returncode == 1 and done.stderr.startswith("error: "):
        return "detected"
    if done.returncode != 0:
        return f"crashed: {done.returncode} {done.stderr[:200]}"
    return [(step["loss"], step["grad_norm"]) for step in map(json.loads, open(log))]


def llmc(tokens):
    return struct.pack("<256i", 20240520, 1, len(tokens), *[0] * 253) + struct.pack(f"<{len(tokens)}H", *tokens)


def npy(tokens):
    header = f"{{'descr': '<u2', 'fortran_order': False, 'shape': ({len(tokens)},), }}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + struct.pack(f"<{len(tokens)}H", *tokens)


def megatron_index(tokens):
    lengths = [len(tokens) // 2, len(tokens) - len(tokens) // 2]
    return (b"MMIDIDX\0\0" + struct.pack("<QBQQ", 1, 8, 2, 3) + struct.pack("<2i", *lengths) +
            struct.pack("<2q", 0, 2 * lengths[0]) + struct.pack("<3q", 0, 1, 2))


class Kind:
    """Files of which a byte is changed, and the run that reads them. `header`: only so many of their first bytes are."""

    def __init__(self, name, files, arguments, header=None):
        self.name, self.files, self.arguments, self.header = name, files, arguments, header


def prepare(folder):
    compile_plan(MLP, f"{folder}/mlp", "--tp", "2", "--shard", "all")
    compile_plan(LLAMA, f"{folder}/llama")
    shutil.copy(f"{MLP}/batch.npz", f"{folder}/batch.npz")
    mlp = ["mlp", "--feed", "batch.npz", "--steps"]
    subprocess.run([f"{BIN}/autotp-run", *mlp, "1", "--quiet", "--save", "saved"], check=True, cwd=folder)
    tokens = [random.Random(1).randrange(256) for _ in range(200)]
    for name, data in {"t.npy": npy(tokens), "t.shard": llmc(tokens), "t.idx": megatron_index(tokens),
                       "t.bin": struct.pack(f"<{len(tokens)}H", *tokens)}.items():
        with open(f"{folder}/{name}", "wb") as file:
            file.write(data)
    saved = [os.path.join(at, name) for at, _, names in os.walk(f"{folder}/saved") for name in names]
    llama = ["llama", "--steps", "1", "--data"]
    return [
        Kind("programs of plans", ["mlp/programs/0000.plan", "mlp/programs/0001.plan"], [*mlp, "1"]),
        Kind("manifests of plans", ["mlp/manifest.json"], [*mlp, "1"]),
        Kind("weights of plans", ["mlp/weights/tp_0000.safetensors", "mlp/weights/tp_0001.safetensors"], [*mlp, "1"]),
        Kind("files of checkpoints", sorted(os.path.relpath(path, folder) for path in saved), [*mlp, "2", "--resume", "saved/step-1"]),
        Kind("feeds (.npz)", ["batch.npz"], [*mlp, "1"]),
        Kind("headers of .npy", ["t.npy"], [*llama, "npy:t.npy"], 128),
        Kind("headers of llm.c's shards", ["t.shard"], [*llama, "llmc:t.shard"], 12),
        Kind("indices of Megatron's files", ["t.idx"], [*llama, "megatron:t.bin"]),
    ]


def flip_one(folder, kind, seed, expected):
    """Changes a byte, runs, and changes it back."""
    pick = random.Random(f"{kind.name} {seed}")
    path = f"{folder}/{pick.choice(kind.files)}"
    data = open(path, "rb").read()
    at, bits = pick.randrange(min(len(data), kind.header or len(data))), pick.randrange(1, 256)
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(bytes([data[at] ^ bits]))
    ended = train(folder, kind.arguments)
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(data[at:at + 1])
    if ended == expected:
        return "harmless", ""
    if ended == "detected":
        return "detected", ""
    word = "silent" if isinstance(ended, list) else ended.split(":")[0]
    return word, f"{os.path.relpath(path, folder)} byte {at}: {data[at]:#04x} to {data[at] ^ bits:#04x}: {ended}"


def main():
    with tempfile.TemporaryDirectory() as work:
        folders = [f"{work}/{number}" for number in range(WORKERS)]
        for folder in folders:
            os.mkdir(folder)
            kinds = prepare(folder)
        bad = 0
        print(f"{'kind of file':30} {'flips':>6} {'detected':>9} {'harmless':>9} {'crashed':>8} {'hung':>5} {'silent':>7}")
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            for kind in kinds:
                expected = train(folders[0], kind.arguments)
                if not isinstance(expected, list):
                    sys.exit(f"{kind.name}: without a flip it is {expected}")

                def share(worker):
                    return [flip_one(folders[worker], kind, seed, expected) for seed in range(worker, FLIPS, WORKERS)]

                ends = [end for ends in pool.map(share, range(WORKERS)) for end in ends]
                count = collections.Counter(word for word, _ in ends)
                print(f"{kind.name:30} {FLIPS:6} {count['detected']:9} {count['harmless']:9} {count['crashed']:8} {count['hung']:5} "
                      f"{count['silent']:7}", flush=True)
                for text in [text for _, text in ends if text][:5]:
                    print(f"    {text}")
                bad += FLIPS - count["detected"] - count["harmless"]
        sys.exit(1 if bad else 0)


main()
