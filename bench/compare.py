#!/usr/bin/env python3
"""A training step of autotp beside those of PyTorch and DeepSpeed, the programs in turn, and beside what the machine could do.

Usage: bench/compare.py [S|M|L|hf|gpt2] [fp32|bf16] [1|tp2|dp2] [--isa avx2|avx512] [--peers NAME,...] [--rounds N] [--steps N]

1: one rank of 2 threads, beside PyTorch eager and compiled. tp2: 2 ranks of one thread, beside DeepSpeed's AutoTP. dp2: 2 ranks
with a batch each and ZeRO 2, beside PyTorch's DistributedDataParallel. tp2 and dp2 also run one rank of 2 threads for comparison.
hf is M (SmolLM2-135M's shape) as transformers and torch.onnx.export write it, beside autotp-model's M; gpt2 is GPT-2 of 124 million
parameters, written likewise, beside transformers' own.
--isa holds all programs to one instruction set. A round runs each program once and takes the median of its steps but the first 3;
ratios are medians over rounds. All run on an idle machine, or the numbers mean nothing.

Peers are tuned: tcmalloc is preloaded (Debian's libtcmalloc-minimal4), and a library of one function that lets MKL use its AVX-512
kernels on AMD processors. PyTorch, and for tp2 transformers and DeepSpeed, are installed into --venv on the first run.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "build" / "bench"
TCMALLOC = "/usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4"
SKIPPED = 3  # first steps of each run, which load code and touch memory
LLAMA = {"model_type": "llama", "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu"}


def llama(hidden, layers, heads, kv, ffn, vocab, tied):
    return LLAMA | {"hidden_size": hidden, "num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": kv,
                    "intermediate_size": ffn, "vocab_size": vocab, "tie_word_embeddings": tied}


MODELS = {  # name: (config, batch, seq)
    "S": (llama(256, 4, 8, 4, 688, 4096, False), 4, 256),
    "M": (llama(576, 30, 9, 3, 1536, 49152, True), 1, 512),
    "L": (llama(2048, 2, 32, 8, 8192, 32000, False), 1, 512),
}
MODELS["hf"] = MODELS["M"]
MODELS["gpt2"] = ({"model_type": "gpt2", "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "n_inner": 3072,
                   "vocab_size": 50257, "n_positions": 1024, "tie_word_embeddings": True, "resid_pdrop": 0.0, "embd_pdrop": 0.0,
                   "attn_pdrop": 0.0}, 1, 512)
EXPORTED = ("hf", "gpt2")
RUNS = {"1": (1, 1), "tp2": (2, 1), "dp2": (1, 2)}  # name: (tp, dp)
PEERS = {"1": ["eager", "compile"], "tp2": ["autotp"], "dp2": ["ddp"]}
TITLES = {"eager": "PyTorch eager", "compile": "PyTorch compiled", "autotp": "DeepSpeed AutoTP", "ddp": "PyTorch DDP"}
ISA = {  # name: (the kernels' instruction set, what holds the peers to it)
    "avx2": ("x86-64-v3", {"ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2", "ONEDNN_MAX_CPU_ISA": "AVX2"}),
    "avx512": ("x86-64-v4", {"ATEN_CPU_CAPABILITY": "avx512", "MKL_ENABLE_INSTRUCTIONS": "AVX512",
                             "ONEDNN_MAX_CPU_ISA": "AVX512_CORE_BF16"}),
}


def run(*command):
    subprocess.run([str(c) for c in command], check=True, stdout=subprocess.DEVNULL)


class Torch:
    """PyTorch in a venv, and the environment that tunes it."""

    def __init__(self, venv, packages, isa):
        self.python = venv / "bin" / "python"
        if not self.python.exists():
            run(sys.executable, "-m", "venv", venv)
        modules = "import " + ", ".join(packages)
        if subprocess.run([self.python, "-c", modules], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL).returncode:
            os.environ["DS_BUILD_OPS"] = "0"
            run(self.python, "-m", "pip", "install", "-q", *packages)
        if not Path(TCMALLOC).exists():
            sys.exit(f"error: {TCMALLOC} is missing\n  do:  apt-get install libtcmalloc-minimal4")
        shim = WORK / "mkl_shim.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", shim], check=True, text=True,
                       input="int mkl_serv_intel_cpu_true(void) { return 1; }")
        self.environment = os.environ | {"LD_PRELOAD": f"{TCMALLOC}:{shim}", "OMP_NUM_THREADS": "1"} | (ISA[isa][1] if isa else {})

    def step(self, how, config, batch, seq, precision, steps):
        """Median ms of a step, peak resident MiB of a process."""
        single = how in ("eager", "compile")
        launcher = [] if single else ["-m", "torch.distributed.run", "--nproc-per-node", "2"]
        command = [self.python, *launcher, ROOT / "bench" / "torch_step.py", config, batch, seq, steps, 2 if single else 1,
                   "--precision", precision, "--how", how]
        out = subprocess.run([str(c) for c in command], env=self.environment, capture_output=True, text=True)
        if out.returncode:
            sys.exit(f"error: {TITLES[how]} failed:\n{out.stderr[-2000:]}")
        result = json.loads(next(line for line in out.stdout.splitlines() if line.startswith('{"ms"')))
        return statistics.median(result["ms"][SKIPPED:]), result["peak_mib"], None


class Autotp:
    """One plan, and how it is run."""

    def __init__(self, binaries, name, precision, how, isa, python):
        self.binaries, self.precision = binaries, precision
        config, self.batch, self.seq = MODELS[name]
        self.config, model, self.plan = (WORK / f"{name}{end}" for end in (".json", ".onnx", f"-{how}-{precision}.plan"))
        self.config.write_text(json.dumps(config))
        if name in EXPORTED:
            run(python, ROOT / "bench" / "export_hf.py", self.config, self.batch, self.seq, model)
        else:
            run(binaries / "autotp-model", "llama", "--config", self.config, "--batch", self.batch, "--seq", self.seq,
                "--no-weights", "-o", model)
        run("rm", "-rf", self.plan)
        tp, dp = RUNS[how]
        flags = ["--zero", "2"] if dp > 1 else []
        run(binaries / "autotp-compile", model, "--weights", "none", "--tp", tp, "--dp", dp, *flags,
            *([] if precision == "fp32" else ["--dtype", precision]), "-o", self.plan)
        self.threads = 2 // (tp * dp)
        self.isa = ["--instruction-set", ISA[isa][0]] if isa else []

    def step(self, steps):
        """Median ms of a step, peak resident MiB, seconds from the process's start to the end of the first step."""
        log = WORK / "autotp.jsonl"
        log.unlink(missing_ok=True)
        begin = time.time()
        child = subprocess.Popen([self.binaries / "autotp-run", self.plan, "--steps", str(steps), "--threads", str(self.threads),
                                  "--log", log, "--quiet", *self.isa])
        while not (log.exists() and "\n" in log.read_text()) and child.poll() is None:
            time.sleep(0.005)
        start = time.time() - begin
        _, status, usage = os.wait4(child.pid, 0)
        if status:
            sys.exit("error: autotp-run failed")
        times = [json.loads(line)["ms"] for line in log.read_text().splitlines()]
        return statistics.median(times[SKIPPED:]), usage.ru_maxrss / 1024, start


def print_limit(binaries, name, isa):
    """Says what a step takes if products run at the rate of a large one, and what must move moves at the bandwidth of AdamW: its own 7
    floats a weight, and the logits read and written twice. In f32."""
    config, batch, seq = MODELS[name]
    flags = [f"--instruction-set={ISA[isa][0]}"] if isa else []
    out = subprocess.run([str(binaries / "cpu_kernels"), "--benchmark_filter=^(large product|AdamW)/", "--benchmark_format=json",
                          "--threads=2", *flags], check=True, capture_output=True, text=True).stdout
    rates = {b["name"].split("/")[0]: b for b in json.loads(out)["benchmarks"]}
    flops, bandwidth = rates["large product"]["FLOP/s"], rates["AdamW"]["bytes/s"]
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    kv = config.get("num_key_value_heads", heads) * hidden // heads
    ffn = 3 * config["intermediate_size"] if "intermediate_size" in config else 2 * config["n_inner"]
    matrices = config["num_hidden_layers"] * (2 * hidden * hidden + 2 * hidden * kv + hidden * ffn)
    head = hidden * config["vocab_size"]
    tokens = batch * seq
    attention = 7 * config["num_hidden_layers"] * batch * hidden * seq * seq
    work = 6 * tokens * (matrices + head) + attention
    moved = 28 * (matrices + head * (1 if config["tie_word_embeddings"] else 2)) + 16 * tokens * config["vocab_size"]
    print(f"limit: {work / flops * 1e3:.0f} ms of products at {flops / 1e9:.0f} GFLOP/s + {moved / bandwidth * 1e3:.0f} ms of bytes "
          f"at {bandwidth / 1e9:.1f} GB/s = {(work / flops + moved / bandwidth) * 1e3:.0f} ms")


def report(title, results, ours):
    """A line: median ms, ratio of autotp's by pair, memory, start."""
    ms = [r[0] for r in results]
    line = f"{title:32} {statistics.median(ms):8.1f} ms  peak {max(r[1] for r in results):6.0f} MiB"
    if results is ours:
        line += f"  first step done after {statistics.median(r[2] for r in results):.2f} s"
    else:
        ratios = [o[0] / r[0] for o, r in zip(ours, results)]
        line += f"  autotp / this {statistics.median(ratios):.2f} ({', '.join(f'{r:.2f}' for r in ratios)})"
    print(line, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", choices=MODELS, default="S")
    parser.add_argument("precision", nargs="?", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("how", nargs="?", choices=RUNS, default="1")
    parser.add_argument("--isa", choices=ISA)
    parser.add_argument("--peers", help="of eager, compile, autotp, ddp, with commas between, or none; default: those of the run")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=8, help=f"of each run, the first {SKIPPED} not counted")
    parser.add_argument("--bin", type=Path, default=ROOT / "build" / "release" / "bin")
    parser.add_argument("--venv", type=Path, default=WORK / "venv")
    args = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    peers = PEERS[args.how] if args.peers is None else [p for p in args.peers.split(",") if p != "none"]
    packages = ["torch", "numpy"] + (["transformers", "deepspeed"] if "autotp" in peers else [])
    if args.model in EXPORTED:
        packages += ["transformers", "onnx", "onnxscript"]
    torch = Torch(args.venv, packages, args.isa) if peers or args.model in EXPORTED else None
    plan = Autotp(args.bin, args.model, args.precision, args.how, args.isa, torch and torch.python)
    alone, dp = None, RUNS[args.how][1]
    title = f"autotp, 1 rank x 2 threads{', twice' if dp > 1 else ''}"  # per token: dp ranks train on as many batches
    if args.how != "1":
        alone = Autotp(args.bin, args.model, args.precision, "1", args.isa, torch and torch.python)
    elif args.model == "hf":
        title, alone = "autotp-model's", Autotp(args.bin, "M", args.precision, "1", args.isa, None)
    ours, others = [], {}
    for _ in range(args.rounds):
        ours.append(plan.step(args.steps))
        if alone:
            ms, peak, start = alone.step(args.steps)
            others.setdefault(title, []).append((dp * ms, peak, start))
        for peer in peers:
            others.setdefault(TITLES[peer], []).append(
                torch.step(peer, plan.config, plan.batch, plan.seq, args.precision, args.steps))
    print(f"{args.model} {args.precision} {args.how}{' ' + args.isa if args.isa else ''}")
    report("autotp", ours, ours)
    for title, results in others.items():
        report(title, results, ours)
    if (args.bin / "cpu_kernels").exists():
        print_limit(args.bin, args.model, args.isa)


main()
