#!/usr/bin/env python3
"""seeds.py BIN: writes the inputs with which fuzzing begins into tests/fuzz/corpus: small, and as they should be. What libFuzzer
found lies beside them."""
import io
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CORPUS = f"{ROOT}/tests/fuzz/corpus"
BIN = os.path.abspath(sys.argv[1])


def write(target, name, data):
    os.makedirs(f"{CORPUS}/{target}", exist_ok=True)
    with open(f"{CORPUS}/{target}/{name}", "wb") as file:
        file.write(data if isinstance(data, bytes) else data.encode())


def npy(descr, shape, data, order=False):
    header = f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}".encode().ljust(53) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def npz(compression):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        file.writestr(zipfile.ZipInfo("ids.npy"), npy("<i8", (2, 2), struct.pack("<4q", 1, 2, 3, 4)), compression)
        file.writestr(zipfile.ZipInfo("mask.npy"), npy("|b1", (2, 2), b"\1\0\1\1"), compression)
    return buffer.getvalue()


def safetensors(tensors):
    header = json.dumps({name: {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
                         for name, dtype, shape, begin, end in tensors}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(max(end for *_, end in tensors))


def megatron():
    lengths = [3, 5]
    return (b"MMIDIDX\0\0" + struct.pack("<QBQQ", 1, 8, len(lengths), 3) + struct.pack("<2i", *lengths) +
            struct.pack("<2q", 0, 6) + struct.pack("<3q", 0, 1, 2))


def config(**more):
    return json.dumps(dict(model_type="llama", hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=4,
                           num_key_value_heads=2, vocab_size=64, rms_norm_eps=1e-5, rope_theta=10000.0, hidden_act="silu",
                           max_position_embeddings=128, tie_word_embeddings=False, **more), indent=1)


def write_plans():
    with tempfile.TemporaryDirectory() as work:
        model = f"{ROOT}/tests/fixtures/losses/masked_mean/model.onnx"
        subprocess.run([f"{BIN}/autotp-compile", f"{ROOT}/tests/fixtures/mlp/model.onnx", "--tp", "2", "--dp", "2", "--shard", "all",
                        "-o", f"{work}/mlp"], check=True, stdout=subprocess.DEVNULL)
        write("certify", "mlp", open(f"{work}/mlp/programs/0000.plan", "rb").read())
        subprocess.run([f"{BIN}/autotp-compile", model, "--tp", "1", "--dp", "2", "-o", f"{work}/plan"], check=True,
                       stdout=subprocess.DEVNULL)
        manifest = json.load(open(f"{work}/plan/manifest.json"))
        manifest["report"] = {}
        write("manifest", "plan", json.dumps(manifest, indent=2) + "\n")
        shutil.copy(f"{work}/plan/programs/0000.plan", f"{work}/program")
        write("program", "plan", open(f"{work}/program", "rb").read())
        subprocess.run([f"{BIN}/autotp-run", f"{work}/plan", "--steps", "1", "--quiet", "--save", f"{work}/saved"], check=True,
                       stdout=subprocess.DEVNULL)
        write("checkpoint", "saved", open(f"{work}/saved/step-1/manifest.json", "rb").read())


def main():
    for name in ("scaled", "normed", "shifted"):
        shutil.copy(f"{ROOT}/tests/fixtures/exports/{name}.onnx", f"{CORPUS}/onnx/{name}") if os.path.isdir(
            f"{CORPUS}/onnx") else write("onnx", name, open(f"{ROOT}/tests/fixtures/exports/{name}.onnx", "rb").read())
    write("onnx", "training_info", open(f"{ROOT}/tests/fixtures/ort-artifacts-mlp/optimizer_model.onnx", "rb").read())
    write("npz", "stored", npz(zipfile.ZIP_STORED))
    write("npz", "deflated", npz(zipfile.ZIP_DEFLATED))
    write("safetensors", "two", safetensors([("a", "F32", [2, 2], 0, 16), ("b", "BF16", [3], 16, 22)]))
    tokens = struct.pack("<8H", *range(8))
    kinds = {"text": b"some text\n", "uint16": tokens, "uint32": tokens, "llmc": struct.pack("<256i", 20240520, 1, 8, *[0] * 253) + tokens,
             "npy": npy("<u2", (8,), tokens), "megatron": megatron(), "jsonl": b'{"text": "a"}\n{"text": "b\\u00e9"}\n'}
    for number, name in enumerate(["text", "jsonl", "uint16", "uint32", "llmc", "megatron", "npy"]):  # as dataKinds() has them
        write("tokens", name, bytes([number]) + kinds[name])
    write("json", "nested", '{"a": [1, 2.5e3, true, null, "\\u0061\\n"], "b": {"a": -1}}')
    write("deepspeed", "config", '{ # hjson\n "train_micro_batch_size_per_gpu": 2, "zero_optimization": {"stage": 2},\n'
          ' "optimizer": {"type": "AdamW", "params": {"lr": 1e-3, "betas": [0.9, 0.95]}}, /* x */ "bf16": {"enabled": true},\n'
          ' "scheduler": {"type": "WarmupLR", "params": {"warmup_num_steps": 3}}, "gradient_clipping": 1.0, }\n')
    write("decoder_config", "llama", config())
    write("decoder_config", "rope", config(rope_scaling={"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                                                         "high_freq_factor": 4.0, "original_max_position_embeddings": 64}))
    write("patterns", "names", "layers\\.[0-9]{1,3}\\.(attn|mlp)\\.[^x]+$\nlayers.0.attn.q\nlayers.10.mlp.up\n")
    write("graph_text", "matmul", "graph (%x: f32[4,8], %w1: f32[8,16]) {\n  %h = matmul(%x, %w1) : f32[4,16]\n  return %h\n}\n")
    write("ort_checkpoint", "mlp", open(f"{ROOT}/tests/fixtures/ort-artifacts-mlp/checkpoint", "rb").read()[:20000])
    write_plans()


main()
