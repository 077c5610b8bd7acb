#!/usr/bin/env python3
"""guide_examples_test.py BIN: runs every command of the guides below as it stands there, in a folder with the files that they
name, but for numbers of steps, which are made small. A command that fails fails the test; so does an example's JSON that is
no longer one.

The model is that of the quickstart, whose tokens are bytes.
"""
import json
import pathlib
import random
import re
import struct
import subprocess
import sys
import tempfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
GUIDES = ("docs/custom-patterns.md", "docs/guide/checkpoints.md", "docs/guide/data.md", "docs/guide/schedules.md",
          "docs/guide/watching.md", "docs/guide/weights.md")
SEQ, BATCH = 16, 4
# What a folder of examples has beside its model and plan.
SHORTER = ((r"--steps \d+", "--steps 4"), (r"--(save|eval)-every \d+", r"--\1-every 2"), (r"--decay-steps \d+", "--decay-steps 3"),
           (r"--warmup-steps \d+", "--warmup-steps 2"), (r"step-\d+", "step-4"))


def npy(shape, values):
    header = f"{{'descr': '<i8', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (63 - (10 + len(header)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + struct.pack(f"<{len(values)}q", *values)


def write_files(folder):
    random.seed(1)
    tokens = [random.randrange(256) for _ in range(2000)]
    (folder / "shards").mkdir()
    for name in ("train.bin", "val.bin", "web.bin", "web_0.bin", "code.bin", "shards/train_0.bin", "shards/train_1.bin"):
        (folder / name).write_bytes(struct.pack("<2000H", *tokens))
    (folder / "tokens.bin").write_bytes(struct.pack("<2000I", *tokens))
    (folder / "corpus.txt").write_text("To be, or not to be, that is the question. " * 50)
    with zipfile.ZipFile(folder / "samples.npz", "w") as archive:
        for name in ("input_ids", "labels"):
            archive.writestr(name + ".npy", npy((100, SEQ), [t for t in tokens[:100] * SEQ]))


def blocks(text):
    """The indented blocks of a page, each as one text."""
    return [re.sub(r"^    ", "", block, flags=re.M) for block in re.findall(r"(?:^    .*\n)+", text, re.M)]


class Example:
    def __init__(self, folder, commands):
        self.folder, self.commands = folder, commands

    def run(self, command):
        done = subprocess.run(["bash", "-c", command], cwd=self.folder, capture_output=True, text=True,
                              env={"PATH": f"{self.commands}:/usr/bin:/bin"})
        if done.returncode:
            sys.exit(f"$ {command}\n{done.stdout}{done.stderr}")

    def prepare(self):
        write_files(self.folder)
        config = self.folder / "config.json"
        config.write_text((ROOT / "models/quickstart/config.json").read_text())
        self.run(f"autotp-model llama --config {config} --seq {SEQ} --batch {BATCH} -o model.onnx")
        self.run("autotp-compile model.onnx -o plan/")
        self.run("autotp-run plan/ --steps 4 --save ckpt --save-every 4")
        self.run("autotp-plan export --checkpoint ckpt --model model.onnx --config config.json -o Llama-3.1-8B")


def shorter(command):
    for pattern, replacement in SHORTER:
        command = re.sub(pattern, replacement, command)
    return command


def run_guide(guide, commands):
    count = 0
    with tempfile.TemporaryDirectory() as folder:
        example = Example(pathlib.Path(folder), commands)
        example.prepare()
        for block in blocks((ROOT / guide).read_text()):
            if block.startswith("{"):
                json.loads(block)
                (example.folder / "rules.json").write_text(block)
                (example.folder / "ds_config.json").write_text(json.dumps({"tensor_parallel": {"partition_config": json.loads(block)}}))
            for line in block.splitlines():
                if line.startswith("autotp-"):
                    example.run(shorter(line))
                    count += 1
    if not count:
        sys.exit(f"{guide} has no example")
    print(f"{guide}: {count} commands")


def main():
    for guide in GUIDES:
        run_guide(guide, pathlib.Path(sys.argv[1]).resolve())


main()
