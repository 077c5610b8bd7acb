#!/usr/bin/env python3
"""Time and memory of the compiler against the number of layers, and the two shapes that the project promises.

Usage: bench/compile_scaling.py [--bin DIR] [--figure FILE.svg]      needs a build (scripts/test.sh), by default build/release

Models are written by `autotp-model llama --no-weights` in the shape of Llama-3.1-8B and 405B, sequence 1024, and compiled with
`--weights none`. Each compile runs three times; the median counts. The figure is log-log: a straight line of slope 1 is linear.
"""
import argparse
import json
import math
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BASE = {"model_type": "llama", "rms_norm_eps": 1e-5, "rope_theta": 5e5, "hidden_act": "silu", "vocab_size": 128256,
        "tie_word_embeddings": False, "num_key_value_heads": 8}
SHAPES = {"8B": {"hidden_size": 4096, "num_attention_heads": 32, "intermediate_size": 14336, "num_hidden_layers": 32},
          "405B": {"hidden_size": 16384, "num_attention_heads": 128, "intermediate_size": 53248, "num_hidden_layers": 126}}
LAYERS = (2, 4, 8, 16, 32, 64, 128, 256)


def compile_once(binaries: Path, model: Path, plan: Path, tp: int, dp: int) -> tuple[float, float]:
    """Seconds, and peak MiB."""
    subprocess.run(["rm", "-rf", plan], check=True)
    command = [binaries / "autotp-compile", model, "--tp", str(tp), "--dp", str(dp), "--weights", "none", "-o", plan]
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command} failed")
    return time.monotonic() - start, usage.ru_maxrss / 1024


def measure(binaries: Path, shape: dict, layers: int, tp: int, dp: int, runs: int = 3) -> tuple[float, float, float]:
    """Median seconds, peak MiB, MiB of the plan."""
    with tempfile.TemporaryDirectory() as folder:
        config, model, plan = (Path(folder) / name for name in ("config.json", "model.onnx", "plan"))
        config.write_text(json.dumps(BASE | shape | {"num_hidden_layers": layers}))
        subprocess.run([binaries / "autotp-model", "llama", "--config", config, "--no-weights", "--seq", "1024", "-o", model],
                       check=True, stdout=subprocess.DEVNULL)
        results = [compile_once(binaries, model, plan, tp, dp) for _ in range(runs)]
        size = sum(f.stat().st_size for f in plan.rglob("*") if f.is_file()) / 2**20
    return statistics.median(r[0] for r in results), max(r[1] for r in results), size


def figure(rows: list[tuple[int, float]], path: Path) -> None:
    """Seconds against layers, both logarithmic, with a line of slope 1 through the last point."""
    width, height, left, bottom = 560, 360, 60, 40
    low, high = math.log10(min(r[1] for r in rows)) - 0.2, math.log10(max(r[1] for r in rows)) + 0.2
    first, last = math.log10(rows[0][0]), math.log10(rows[-1][0])

    def x(layers: float) -> float:
        return left + (math.log10(layers) - first) / (last - first) * (width - left - 20)

    def y(seconds: float) -> float:
        return height - bottom - (math.log10(seconds) - low) / (high - low) * (height - bottom - 20)

    slope = [(n, rows[-1][1] * n / rows[-1][0]) for n in (rows[0][0], rows[-1][0])]
    slope = [(n, max(s, 10**low)) for n, s in slope]
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="12">',
             f'<rect width="{width}" height="{height}" fill="white"/>',
             f'<text x="{width / 2}" y="{height - 8}" text-anchor="middle">layers</text>',
             f'<text x="16" y="{height / 2}" transform="rotate(-90 16 {height / 2})" text-anchor="middle">seconds</text>']
    parts += [f'<text x="{x(n):.1f}" y="{height - bottom + 16}" text-anchor="middle">{n}</text>' for n, _ in rows]
    parts += [f'<text x="{left - 6}" y="{y(s):.1f}" text-anchor="end">{s:.2g}</text>' for _, s in rows[::2]]
    parts.append('<polyline fill="none" stroke="#999" stroke-dasharray="4" points="'
                 + " ".join(f"{x(n):.1f},{y(s):.1f}" for n, s in slope) + '"/>')
    parts.append('<polyline fill="none" stroke="#06c" stroke-width="2" points="'
                 + " ".join(f"{x(n):.1f},{y(s):.1f}" for n, s in rows) + '"/>')
    parts += [f'<circle cx="{x(n):.1f}" cy="{y(s):.1f}" r="3" fill="#06c"/>' for n, s in rows] + ["</svg>"]
    path.write_text("\n".join(parts) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=Path, default=ROOT / "build" / "release" / "bin")
    parser.add_argument("--figure", type=Path)
    options = parser.parse_args()
    print("| model | mesh | seconds | peak MiB | plan MiB |\n|---|---|---|---|---|")
    rows = []
    for layers in LAYERS:
        seconds, memory, size = measure(options.bin, SHAPES["8B"], layers, 4, 2)
        rows.append((layers, seconds))
        print(f"| 8B shape, {layers} layers | tp 4 dp 2 | {seconds:.2f} | {memory:.0f} | {size:.1f} |", flush=True)
    seconds, memory, size = measure(options.bin, SHAPES["405B"], 126, 8, 64, runs=1)
    print(f"| 405B shape, 126 layers | tp 8 dp 64 | {seconds:.2f} | {memory:.0f} | {size:.1f} |")
    if options.figure:
        figure(rows, options.figure)


if __name__ == "__main__":
    main()
