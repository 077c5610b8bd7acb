"""A training graph through autotp-compile and autotp-run."""

import json
import os
import shutil
import struct
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
from onnx import TensorProto

LONGEST = 120  # seconds of one command
DTYPES = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": ml_dtypes.bfloat16}


@dataclass
class Outcome:
    kind: str  # "trained", "refused", "unproven" or "broken"
    text: str = ""
    loss: float = float("nan")
    gradients: dict = field(default_factory=dict)


def read_safetensors(path) -> dict:
    data = Path(path).read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    tensors = {}
    for name, entry in json.loads(data[8 : 8 + size]).items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        raw = np.frombuffer(data[8 + size + begin : 8 + size + end], DTYPES[entry["dtype"]])
        tensors[name] = raw.reshape(entry["shape"]).astype(np.float64)
    return tensors


def run(command, folder):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, timeout=LONGEST, env=environment)
    except subprocess.TimeoutExpired:
        return -1, "it took too long"
    return done.returncode, (done.stdout + done.stderr).decode(errors="replace").strip()


class Product:
    """The commands in `binaries`, at work in `folder`."""

    def __init__(self, binaries, folder):
        self.binaries, self.folder = Path(binaries).resolve(), Path(folder)

    def train(self, graph, tp, verifies=True) -> Outcome:
        onnx.save(graph.model, self.folder / "model.onnx")
        np.savez(self.folder / "feed.npz", **graph.feed)
        shutil.rmtree(self.folder / "plan", ignore_errors=True)
        command = [self.binaries / "autotp-compile", "model.onnx", "-o", "plan", "--tp", str(tp), "--train", "^P_"]
        command += ["--optimizer", "sgd", "--lr", "0", "--weight-decay", "0"]
        command += ["--shard", "all"] * (tp > 1) + ["--no-verify"] * (not verifies) + self.precision(graph)
        for value in graph.model.graph.input:
            command += ["--input", value.name + "=data"]
        code, text = run(command, self.folder)
        if code == 1 and "certificate: " in text:
            return Outcome("unproven", text)
        if code == 1 and "report this as a bug" in text:
            return Outcome("broken", text)
        if code != 0:
            return Outcome("refused" if code == 1 else "broken", f"exit code {code}: {text}" if code != 1 else text)
        command = [self.binaries / "autotp-run", "plan", "--feed", "feed.npz", "--steps", "1", "--threads", "1"]
        command += ["--dump-gradients", "gradients.safetensors", "--log", "log.jsonl", "--quiet"]
        code, text = run(command, self.folder)
        if code != 0:
            return Outcome("refused" if code == 1 else "broken", f"autotp-run, exit code {code}: {text}")
        loss = json.loads((self.folder / "log.jsonl").read_text().splitlines()[0])["loss"]
        gradients = read_safetensors(self.folder / "gradients.safetensors")
        return Outcome("trained", "", float("nan") if loss is None else float(loss), gradients)

    def precision(self, graph) -> list:
        """A loss scale of 2^4: nothing of these examples needs more, and some would overflow."""
        values = list(graph.model.graph.initializer) + [i.type.tensor_type for i in graph.model.graph.input]
        types = [v.data_type if isinstance(v, TensorProto) else v.elem_type for v in values]
        if TensorProto.FLOAT16 not in types:
            return []
        config = {"fp16": {"enabled": True, "initial_scale_power": 4}}
        (self.folder / "ds.json").write_text(json.dumps(config))
        return ["--ds-config", "ds.json"]
