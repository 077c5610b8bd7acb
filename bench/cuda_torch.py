#!/usr/bin/env python3
"""Times PyTorch on a GPU at the calls of bench/kernel_calls.cpp that it has, and at training steps of the same model, eager
and compiled: {"name": median ms} into FILE.

Usage: cuda_torch.py CONFIG FILE      (called by scripts/cuda_check.sh)
"""
import json
import statistics
import sys

import torch
from torch.nn import functional as F

import torch_step

BATCH, SEQ, HIDDEN, HEADS, KV, FFN, VOCAB = 4, 1024, 2048, 32, 8, 8192, 128256
TOKENS, HEAD = BATCH * SEQ, HIDDEN // HEADS


def real(*shape, dtype=torch.float32):
    return (torch.rand(shape, device="cuda") * 0.9 + 0.1).to(dtype)


def median_ms(call, flush):
    times = []
    for _ in range(9):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        flush.zero_()
        begin.record()
        call()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end))
    return statistics.median(times[2:])


def products(dtype):
    for name, rows, columns in (("q or out", HIDDEN, HIDDEN), ("k or v", HIDDEN, KV * HEAD), ("gate or up", HIDDEN, FFN),
                                ("down", FFN, HIDDEN), ("head", HIDDEN, VOCAB)):
        x, w, y = (real(*shape, dtype=dtype) for shape in ((TOKENS, rows), (rows, columns), (TOKENS, columns)))
        yield f"MatMul {name}", lambda: x @ w
        yield f"MatMul {name}, dX", lambda: y @ w.T
        yield f"MatMul {name}, dW", lambda: x.T @ y
        if columns == FFN:
            bias = real(columns, dtype=dtype)
            yield "MatMulBias up", lambda: torch.addmm(bias, x, w)
            yield "MatMulBiasGelu up", lambda: F.gelu(torch.addmm(bias, x, w), approximate="tanh")


def others():
    x, y, row = real(TOKENS, FFN), real(TOKENS, FFN), real(FFN)
    yield "Exp", lambda: torch.exp(x)
    yield "Tanh", lambda: torch.tanh(x)
    yield "Silu", lambda: F.silu(x)
    yield "Gelu", lambda: F.gelu(x)
    yield "Add", lambda: x + y
    yield "Mul", lambda: x * y
    yield "Add a row", lambda: x + row
    yield "Swiglu", lambda: F.silu(x) * y
    yield "ReduceSum of rows", lambda: x.sum(1)
    yield "ReduceSum of columns", lambda: x.sum(0)
    yield "Copy", x.clone
    yield "Transpose matrix", x.T.contiguous
    hidden, scale = real(TOKENS, HIDDEN), real(HIDDEN)
    yield "RmsNorm", lambda: F.rms_norm(hidden, (HIDDEN,), scale, 1e-5)
    yield "LayerNorm", lambda: F.layer_norm(hidden, (HIDDEN,), scale, scale, 1e-5)
    table, ids = real(VOCAB, HIDDEN), torch.randint(VOCAB, (TOKENS,), device="cuda")
    yield "Gather", lambda: F.embedding(ids, table)
    scores = real(BATCH * HEADS * SEQ, SEQ)
    yield "Softmax", lambda: torch.softmax(scores, 1)
    q, k, v = (real(BATCH, n, SEQ, HEAD) for n in (HEADS, KV, KV))
    k, v = (t.repeat_interleave(HEADS // KV, 1) for t in (k, v))
    yield "Attention", lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True)
    logits = real(TOKENS, VOCAB)
    yield "CrossEntropy", lambda: F.cross_entropy(logits, ids, reduction="sum")


def kernel_times():
    flush, times = torch.empty(256 << 20, dtype=torch.uint8, device="cuda"), {}
    for end, allows, dtype in (("", False, torch.float32), (", tf32", True, torch.float32), (", bf16", False, torch.bfloat16)):
        torch.backends.cuda.matmul.allow_tf32 = allows
        for name, call in products(dtype):
            times[name + end] = median_ms(call, flush)
    torch.backends.cuda.matmul.allow_tf32 = False
    for name, call in others():
        times[name] = median_ms(call, flush)
    return times


def step_times(config):
    """Steps that fail, of torch.compile without a compiler for example, are left out."""
    times = {}
    for precision in ("fp32", "tf32", "bf16"):
        for end, compiles in (("", False), (" compiled", True)):
            try:
                ms = torch_step.train(config, BATCH, SEQ, 8, "cuda", precision, compiles)
                times[f"training step, {precision}{end}"] = statistics.median(ms[3:])
            except Exception as error:  # whatever a compiler raises
                print(f"no training step of PyTorch in {precision}{end}: {type(error).__name__}: {error}", file=sys.stderr)
            torch.cuda.empty_cache()
    return times


def main():
    config, to = sys.argv[1:]
    with open(config, encoding="utf-8") as file:
        times = step_times(json.load(file))
    with torch.no_grad():
        times |= kernel_times()
    with open(to, "w", encoding="utf-8") as file:
        json.dump(times, file, indent=1)


main()
