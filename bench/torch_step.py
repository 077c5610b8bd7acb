"""Trains the model of a Hugging Face config.json with PyTorch (Llamas of its own, others of transformers), fused AdamW; prints the ms of every step and the peak
resident MiB as JSON. By a process alone (eager, compile) or by several under torch.distributed.run (ddp, autotp).

Called by compare.py and cuda_torch.py. bf16 means: torch.autocast over fp32 weights, or DeepSpeed's bf16.
"""
import argparse
import json
import resource
import time

import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        hidden, self.heads, self.kv = c["hidden_size"], c["num_attention_heads"], c["num_key_value_heads"]
        self.head = hidden // self.heads
        linear = lambda rows, columns: nn.Linear(rows, columns, bias=False)
        self.q, self.k, self.v = (linear(hidden, n * self.head) for n in (self.heads, self.kv, self.kv))
        self.o = linear(hidden, hidden)
        self.gate, self.up = (linear(hidden, c["intermediate_size"]) for _ in range(2))
        self.down = linear(c["intermediate_size"], hidden)
        self.norm1, self.norm2 = (nn.RMSNorm(hidden, eps=c["rms_norm_eps"]) for _ in range(2))

    def forward(self, x, cos, sin):
        b, s, _ = x.shape
        h = self.norm1(x)
        q, k, v = (p(h).view(b, s, -1, self.head).transpose(1, 2) for p in (self.q, self.k, self.v))
        rotate = lambda t: t * cos + torch.cat((-t[..., self.head // 2:], t[..., : self.head // 2]), -1) * sin
        q, k = rotate(q), rotate(k)
        k, v = (t.repeat_interleave(self.heads // self.kv, 1) for t in (k, v))
        a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.o(a.transpose(1, 2).reshape(b, s, -1))
        h = self.norm2(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


class Llama(nn.Module):
    def __init__(self, c, seq):
        super().__init__()
        self.embed = nn.Embedding(c["vocab_size"], c["hidden_size"])
        self.blocks = nn.ModuleList(Block(c) for _ in range(c["num_hidden_layers"]))
        self.norm = nn.RMSNorm(c["hidden_size"], eps=c["rms_norm_eps"])
        self.head = nn.Linear(c["hidden_size"], c["vocab_size"], bias=False)
        if c["tie_word_embeddings"]:
            self.head.weight = self.embed.weight
        dim = c["hidden_size"] // c["num_attention_heads"]
        angles = torch.arange(seq)[:, None] * c["rope_theta"] ** (-torch.arange(0, dim, 2) / dim)[None]
        for weight in self.parameters():  # as transformers does: PyTorch's own embedding makes logits whose exponentials are
            if weight.dim() == 2:         # denormal numbers, which some processors compute a hundred times slower
                nn.init.normal_(weight, std=0.02)
        self.register_buffer("cos", torch.cat((angles, angles), -1).cos())
        self.register_buffer("sin", torch.cat((angles, angles), -1).sin())

    def forward(self, ids):
        x = self.embed(ids)
        for block in self.blocks:
            x = block(x, self.cos, self.sin)
        logits = self.head(self.norm(x))
        return F.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())


class FromTransformers(nn.Module):
    def __init__(self, config):
        super().__init__()
        from transformers import AutoConfig, AutoModelForCausalLM

        self.model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**config), attn_implementation="sdpa")

    def forward(self, ids):
        logits = self.model(input_ids=ids, use_cache=False).logits
        return F.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())


def train(config, batch, seq, steps, device="cpu", precision="fp32", compiles=False, wrap=None):
    """The ms of each step. `wrap` makes another module of the model, for example one that averages gradients."""
    torch.manual_seed(0)
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    with torch.device(device):
        model = Llama(config, seq) if config["model_type"] == "llama" else FromTransformers(config)
        ids = torch.randint(config["vocab_size"], (batch, seq))
    model = wrap(model) if wrap else model
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    forward = torch.compile(model) if compiles else model
    times = []
    for _ in range(steps):
        begin = time.perf_counter()
        optimizer.zero_grad()
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
            loss = forward(ids)
        loss.backward()
        optimizer.step()
        loss.item()
        times.append(1e3 * (time.perf_counter() - begin))
    return times


def train_autotp(config, batch, seq, steps, precision):
    """The same by DeepSpeed's AutoTP, which takes models of transformers, over all ranks."""
    import deepspeed
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    model = LlamaForCausalLM(LlamaConfig(**config, attn_implementation="sdpa")).to(dtype)
    size = torch.distributed.get_world_size()
    model = deepspeed.tp_model_init(model, tp_size=size, dtype=dtype)
    settings = {"train_micro_batch_size_per_gpu": batch, "tensor_parallel": {"autotp_size": size},
                "optimizer": {"type": "AdamW", "params": {"lr": 1e-3, "betas": [0.9, 0.95], "weight_decay": 0.1,
                                                          "torch_adam": True}},
                "zero_optimization": {"stage": 0}, "bf16": {"enabled": precision == "bf16"}}
    engine, *_ = deepspeed.initialize(model=model, config=settings)
    ids = torch.randint(config["vocab_size"], (batch, seq))
    times = []
    for _ in range(steps):
        begin = time.perf_counter()
        loss = engine(input_ids=ids, labels=ids).loss
        engine.backward(loss)
        engine.step()
        loss.item()
        times.append(1e3 * (time.perf_counter() - begin))
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config")
    for number in ("batch", "seq", "steps", "threads"):
        parser.add_argument(number, type=int)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--how", choices=("eager", "compile", "ddp", "autotp"), default="eager")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    with open(args.config, encoding="utf-8") as file:
        config = json.load(file)
    sizes = (config, args.batch, args.seq, args.steps)
    rank = 0
    if args.how in ("ddp", "autotp"):  # under torch.distributed.run
        torch.distributed.init_process_group("gloo")
        rank = torch.distributed.get_rank()
    if args.how == "autotp":
        times = train_autotp(*sizes, args.precision)
    else:
        wrap = nn.parallel.DistributedDataParallel if args.how == "ddp" else None
        times = train(*sizes, precision=args.precision, compiles=args.how == "compile", wrap=wrap)
    if rank == 0:
        print(json.dumps({"ms": times, "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


if __name__ == "__main__":
    main()
