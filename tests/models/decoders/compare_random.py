"""Compares what autotp-model writes with transformers on random small configs: the loss and the norm of its gradient, and that
the config.json and weights that transformers saves are read as the same model.

    compare_random.py BIN [SEED] [COUNT]      (BIN is build/release/bin; needs the packages of models/export/requirements.txt)

A config that transformers itself refuses is passed over. Exit code 1 if something differs.
"""
import json
import pathlib
import random
import subprocess
import sys
import tempfile

import numpy as np
import torch
import transformers

LENGTH, HEADS = 48, 8
SIZES = {"hidden_size": 48, "intermediate_size": 40, "num_hidden_layers": 3, "num_attention_heads": HEADS, "vocab_size": 61,
         "max_position_embeddings": 64, "pad_token_id": None, "bos_token_id": None, "eos_token_id": None}
FAMILIES = ["gemma2", "llama", "mistral", "phi3", "qwen2", "qwen3"]
WINDOWS = [5, 16, LENGTH - 1, LENGTH, 100]

# Which families have a key, how often it is given, and its values.
KEYS = [
    ("num_key_value_heads", ["qwen2", "qwen3"], 1, [2, 4, 8]),
    ("num_key_value_heads", ["gemma2", "llama", "mistral", "phi3"], 0.7, [2, 4, 8]),
    ("head_dim", ["gemma2", "qwen3"], 1, [6, 8, 16]),
    ("head_dim", ["llama", "mistral"], 0.4, [6, 8, 16]),
    ("tie_word_embeddings", FAMILIES, 0.4, [True, False]),
    ("rms_norm_eps", FAMILIES, 0.4, [1e-5, 1e-2]),
    ("hidden_activation", ["gemma2"], 0.4, ["silu", "gelu", "gelu_pytorch_tanh", "gelu_new"]),
    ("hidden_act", FAMILIES[1:], 0.4, ["silu", "gelu", "gelu_pytorch_tanh", "gelu_new"]),
    ("attention_bias", ["gemma2", "llama", "qwen3"], 0.5, [True, False]),
    ("mlp_bias", ["llama"], 0.5, [True, False]),
    ("sliding_window", ["gemma2"], 0.7, WINDOWS),
    ("sliding_window", ["mistral", "phi3", "qwen2", "qwen3"], 0.7, [*WINDOWS, None]),
    ("use_sliding_window", ["qwen2", "qwen3"], 0.7, [True, True, False]),
    ("max_window_layers", ["qwen2", "qwen3"], 0.7, [0, 1, 2, 3, 9]),
    ("layer_types", ["gemma2", "qwen2", "qwen3"], 0.3, [["sliding_attention", "full_attention", "sliding_attention"],
                                                        ["full_attention"] * 3]),
    ("attn_logit_softcapping", ["gemma2"], 0.6, [None, 2.0, 30.0]),
    ("final_logit_softcapping", ["gemma2"], 0.6, [None, 3.0, 30.0]),
    ("query_pre_attn_scalar", ["gemma2"], 0.6, [8, 100]),
    ("partial_rotary_factor", ["phi3"], 0.5, [1.0, 0.7, 2 / 3]),
]


def scaling(kind: str, pairs: int, draw: random.Random) -> dict:
    """The keys of one type of rope_scaling."""
    first = {"original_max_position_embeddings": draw.choice([16, 32])}
    if kind == "linear":
        return {"factor": draw.choice([1.0, 2, 4.5])}
    if kind == "llama3":
        return {"factor": 8.0, "low_freq_factor": draw.choice([1, 1.5]), "high_freq_factor": draw.choice([4.0, 3]), **first}
    if kind == "yarn":
        more = {"beta_fast": 8.0, "beta_slow": 2.0, "attention_factor": 1.3, "truncate": False}
        scales = {"mscale": 0.8, "mscale_all_dim": 0.5} if draw.random() < 0.3 else {}
        return {"factor": draw.choice([2.0, 4]), **first, **{k: v for k, v in more.items() if draw.random() < 0.3}, **scales}
    if kind == "longrope":
        lists = {"short_factor": [1 + 0.1 * i for i in range(pairs)], "long_factor": [1.5 + 0.3 * i for i in range(pairs)]}
        return {**lists, **({"factor": 3.0} if draw.random() < 0.3 else {})}
    return {}


def positions(family: str, features: int, draw: random.Random) -> dict:
    """rope_theta and rope_scaling, or rope_parameters, which hold both."""
    theta = draw.choice([{}, {"rope_theta": 100.0}, {"rope_theta": 5000}, {"rope_theta": 500000.0}])
    kinds = ["default", "longrope"] if family == "phi3" else ["default", "linear", "llama3", "yarn", "longrope"]
    kind = draw.choice([None, None, *kinds])
    if kind is None:
        return theta
    outside = {"original_max_position_embeddings": 16} if kind == "longrope" and draw.random() < 0.7 else {}
    inside = scaling(kind, features // 2, draw)
    if draw.random() < 0.5:
        return {**outside, "rope_parameters": {"rope_type": kind, **theta, **inside}}
    return {**outside, **theta, "rope_scaling": {draw.choice(["rope_type", "type"]): kind, **inside}}


def random_config(draw: random.Random) -> dict:
    family = draw.choice(FAMILIES)
    config = {"model_type": family, **SIZES}
    for key, where, share, values in KEYS:
        if family in where and draw.random() < share:
            config[key] = draw.choice(values)
    head = config.get("head_dim", SIZES["hidden_size"] // HEADS)
    return config | positions(family, int(head * config.get("partial_rotary_factor", 1)), draw)


def reference(folder: pathlib.Path, draw: random.Random) -> tuple[float, float] | None:
    """Loss and norm of the gradient; nothing if transformers refuses the config. Weights and tokens are saved."""
    try:
        config = transformers.AutoConfig.from_pretrained(folder)
        model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager").float().eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * (0.3 if parameter.dim() > 1 else 0.2))
        tokens = torch.randint(0, SIZES["vocab_size"], (2, LENGTH))
        loss = model(input_ids=tokens, labels=tokens).loss
    except Exception:  # whatever its checks raise, of which some come with the first use
        return None
    loss.backward()
    model.save_pretrained(folder / "saved", max_shard_size=draw.choice(["10KB", "1GB"]))
    np.savez(folder / "batch.npz", input_ids=tokens.numpy(), labels=tokens.numpy())
    return loss.item(), torch.stack([p.grad.norm() for p in model.parameters()]).norm().item()


def compare(bin_folder: pathlib.Path, folder: pathlib.Path, config: dict, truth: tuple[float, float]) -> str:
    """What differs; "" if nothing does."""

    def command(name: str, *arguments: object) -> None:
        subprocess.run([bin_folder / name, *map(str, arguments)], check=True, capture_output=True, text=True)

    try:
        for path, file in (("config.json", "own.onnx"), ("saved/config.json", "saved.onnx")):
            command("autotp-model", config["model_type"], "--config", folder / path, "--weights", folder / "saved",
                    "--seq", LENGTH, "--batch", 2, "-o", folder / file)
        command("autotp-compile", folder / "own.onnx", "--tp", 2, "-o", folder / "plan")
        command("autotp-run", folder / "plan", "--feed", folder / "batch.npz", "--steps", 1, "--log", folder / "log")
    except subprocess.CalledProcessError as error:
        return error.stderr
    step = json.loads((folder / "log").read_text().splitlines()[0])
    if abs(step["loss"] / truth[0] - 1) > 2e-6 or abs(step["grad_norm"] / truth[1] - 1) > 2e-4:
        return f"loss {step['loss']} and norm {step['grad_norm']}, and transformers has {truth[0]} and {truth[1]}"
    if (folder / "own.onnx").read_bytes() != (folder / "saved.onnx").read_bytes():
        return "the config that transformers saves gives another model"
    return ""


def main() -> None:
    bin_folder = pathlib.Path(sys.argv[1]).resolve()
    seed, count = (int(sys.argv[k]) if len(sys.argv) > k else absent for k, absent in ((2, 0), (3, 100)))
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    draw = random.Random(seed)
    torch.manual_seed(seed)
    compared = wrong = 0
    for _ in range(count):
        config = random_config(draw)
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / "config.json").write_text(json.dumps(config))
            truth = reference(folder, draw)
            if truth is None:
                continue
            compared += 1
            if difference := compare(bin_folder, folder, config, truth):
                wrong += 1
                print(json.dumps(config), difference, sep="\n  ", flush=True)
    print(f"{compared} of {count} configs compared, {wrong} differ")
    sys.exit(bool(wrong))


main()
