#!/usr/bin/env python3
"""check_exports.py BIN: trains small models for three steps on four ranks, exports what was trained, and compares the loss that
onnxruntime (of the trained graph) and transformers (of the trained folder) compute on the fourth step's batch with the one that
autotp-run computes when it goes on. Needs numpy, onnxruntime, torch and transformers."""
import json
import os
import subprocess
import sys
import tempfile

import numpy
import onnxruntime
import torch
import transformers

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.path.abspath(sys.argv[1])
BATCH, LENGTH, STEPS, MOST = 4, 32, 3, 1e-5
CONFIG = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 96,
          "vocab_size": 256, "max_position_embeddings": 64}
FAMILIES = {"llama": {"tie_word_embeddings": True}, "qwen3": {"head_dim": 16}, "mistral": {"sliding_window": 8},
            "gemma2": {"head_dim": 16, "sliding_window": 8, "query_pre_attn_scalar": 16}}


def run(program, *arguments):
    done = subprocess.run([f"{BIN}/{program}", *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{program} {' '.join(arguments)}: {done.stdout}{done.stderr}")


def train(work, model, feed, *flags):
    """Saves after three steps, and returns the loss of the fourth."""
    run("autotp-compile", model, "--tp", "2", "--dp", "2", "--micro-batch", str(BATCH // 2), "--shard", "all", *flags,
        "-o", f"{work}/plan")
    for steps in (STEPS, STEPS + 1):
        run("autotp-run", f"{work}/plan", "--feed", feed, "--steps", str(steps), "--threads", "1", "--quiet", "--resume", "auto",
            "--save", f"{work}/ckpt", "--log", f"{work}/log.jsonl")
    with open(f"{work}/log.jsonl") as log:
        return [json.loads(line)["loss"] for line in log][-1]


def loss_of_onnxruntime(work, model, feed):
    run("autotp-plan", "export", "--checkpoint", f"{work}/ckpt/step-{STEPS}", "--model", model, "-o", f"{work}/trained.onnx")
    session = onnxruntime.InferenceSession(f"{work}/trained.onnx", providers=["CPUExecutionProvider"])
    rows = slice(STEPS * BATCH, (STEPS + 1) * BATCH)
    inputs = {i.name: numpy.load(feed)[i.name][rows] for i in session.get_inputs()}
    scalars = [o.name for o in session.get_outputs() if not o.shape]
    return float(session.run(scalars[:1], inputs)[0])


def loss_of_transformers(work, config, feed):
    run("autotp-plan", "export", "--checkpoint", f"{work}/ckpt/step-{STEPS}", "--config", config, "-o", f"{work}/trained")
    model = transformers.AutoModelForCausalLM.from_pretrained(f"{work}/trained", attn_implementation="eager").eval()
    tokens = torch.tensor(numpy.load(feed)["input_ids"][STEPS * BATCH:(STEPS + 1) * BATCH])
    with torch.no_grad():
        return model(input_ids=tokens, labels=tokens).loss.item()


def compare(what, own, other):
    off = abs(other / own - 1)
    print(f"{what}: {own:.7f} here, {other:.7f} there, off by {off:.1e}")
    return off <= MOST


def main():
    is_right = True
    for fixture in ("llama", "gpt2", "mlp"):
        model, feed = (f"{ROOT}/tests/fixtures/{fixture}/{name}" for name in ("model.onnx", "batch.npz"))
        with tempfile.TemporaryDirectory() as work:
            own = train(work, model, feed, "--shape", f"seq={LENGTH}") if fixture != "mlp" else train(work, model, feed)
            is_right &= compare(f"{fixture}, onnxruntime", own, loss_of_onnxruntime(work, model, feed))
    tokens = numpy.random.default_rng(1).integers(0, CONFIG["vocab_size"], ((STEPS + 1) * BATCH, LENGTH))
    for family, keys in FAMILIES.items():
        with tempfile.TemporaryDirectory() as work:
            model, feed, config = (f"{work}/{name}" for name in ("model.onnx", "feed.npz", "config.json"))
            numpy.savez(feed, input_ids=tokens, labels=tokens)
            with open(config, "w") as file:
                json.dump({"model_type": family, **CONFIG, **keys}, file)
            run("autotp-model", family, "--config", config, "--batch", str(BATCH), "--seq", str(LENGTH), "-o", model)
            own = train(work, model, feed)
            is_right &= compare(f"{family}, onnxruntime", own, loss_of_onnxruntime(work, model, feed))
            is_right &= compare(f"{family}, transformers", own, loss_of_transformers(work, config, feed))
    sys.exit(0 if is_right else 1)


main()
