"""Records how transformers trains small models of each family that autotp-model writes: CASE/config.json and
CASE/expected.json, in the fields that models/README.md describes, and batch.npz, which all of them are trained on.

    record.py        (needs torch and transformers; recorded with 2.15.0 and 5.24.0)

Weights are drawn by a formula that the test computes too. Parameter n, by name in alphabetical order, has in element i the
number u = w / 2^32 - 1/2, where w is the first word of Philox4x32-10 with key (n, 0) and counter (i, 0, 0, 0): u * sqrt(12 / in)
in a matrix of `in` columns, and u * 0.4 more than what construction gave in a vector. Sequences are long enough for windows,
and for positions beyond the first length, to matter.
"""
import json
import pathlib
import sys

import numpy as np
import torch
import transformers

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parents[2] / "models" / "export"))
from philox import first_words, projection  # noqa: E402
from recipe import BATCH, STEPS, causal_lm  # noqa: E402
from train import OPTIMIZER, train  # noqa: E402

LENGTH, VOCABULARY = 40, 61

SIZES = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
         "num_key_value_heads": 2, "vocab_size": VOCABULARY, "max_position_embeddings": 64, "pad_token_id": None}
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 16}
YARN = {"factor": 4.0, "original_max_position_embeddings": 16, "beta_fast": 4.0}

# config.json as a user has it: also in spellings that transformers reads and does not write any more.
CASES = {
    "llama": {"model_type": "llama", "attention_bias": True, "mlp_bias": True, "rope_theta": 500.0, "rope_scaling": LLAMA3},
    "llama_linear": {"model_type": "llama", "head_dim": 16, "tie_word_embeddings": True, "hidden_act": "gelu",
                     "rope_scaling": {"type": "linear", "factor": 3.0}},
    "llama_yarn": {"model_type": "llama", "rope_scaling": {"type": "yarn", "finetuned": True, **YARN}},
    "mistral": {"model_type": "mistral", "sliding_window": 8, "rope_theta": 300.0, "head_dim": 12},
    "qwen2": {"model_type": "qwen2", "use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1},
    "qwen3": {"model_type": "qwen3", "head_dim": 16, "use_sliding_window": True, "sliding_window": 9, "attention_bias": True,
              "layer_types": ["sliding_attention", "full_attention"],
              "rope_parameters": {"rope_type": "yarn", "rope_theta": 1000.0, "mscale": 0.7, "mscale_all_dim": 0.3,
                                  "truncate": False, **YARN}},
    "gemma2": {"model_type": "gemma2", "head_dim": 16, "sliding_window": 8, "query_pre_attn_scalar": 24,
               "attn_logit_softcapping": 3.0, "final_logit_softcapping": 4.0},
    "phi3": {"model_type": "phi3", "sliding_window": 12, "rope_parameters": {"rope_type": "default", "rope_theta": 100.0,
                                                                           "partial_rotary_factor": 0.5}},
    "phi3_longrope": {"model_type": "phi3", "original_max_position_embeddings": 16,
                      "rope_scaling": {"type": "longrope", "short_factor": [1.0, 1.1, 1.2, 1.3],
                                       "long_factor": [1.0, 1.5, 2.5, 4.0]}},
}


def fill(model: torch.nn.Module) -> None:
    with torch.no_grad():
        for n, (_, parameter) in enumerate(sorted(model.named_parameters())):
            u = first_words(n, parameter.numel()).astype(np.float64) / 2**32 - 0.5
            u = torch.from_numpy(u.reshape(parameter.shape))
            parameter.copy_(u * (12 / parameter.shape[1]) ** 0.5 if parameter.dim() > 1 else parameter.mean().round() + 0.4 * u)


def measures(values: np.ndarray) -> dict:
    numbers = [float(np.linalg.norm(values)), *(projection(values, j) for j in range(4))]
    numbers = [float(f"{number:.9g}") for number in numbers]
    return {"l2": numbers[0], "projections": numbers[1:]}


def record(case: str, keys: dict) -> None:
    folder = HERE / case
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**SIZES, **keys}, indent=1) + "\n")
    config = transformers.AutoConfig.from_pretrained(folder, attn_implementation="eager")
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    fill(model)
    recipe = causal_lm(model, LENGTH, "autotp-model", 23, ignored=True)
    np.savez_compressed(HERE / "batch.npz", **{name: values.numpy() for name, values in recipe.inputs.items()})
    decayed = {name for name, p in recipe.model.named_parameters() if p.dim() > 1}
    truth, narrow = (train(recipe, decayed, dtype) for dtype in (torch.float64, torch.float32))
    fields = {"torch": torch.__version__, "transformers": transformers.__version__, "global_batch": BATCH, "steps": STEPS,
              "optimizer": {"kind": "AdamW", **OPTIMIZER, "clip_global_norm": None}, "sizes": {},
              "parameter_elements": sum(value.size for value in truth.weights.values()),
              "losses_fp64": truth.losses, "losses_fp32": narrow.losses, "grad_norms_fp64": truth.norms}
    entries = {name.removeprefix("model."): {
        "shape": list(value.shape), "gradient": measures(truth.gradients[name]), "weight": measures(value),
        "undetermined": int((abs(value - narrow.weights[name]) > 0.01 * OPTIMIZER["lr"]).sum())}
        for name, value in truth.weights.items()}
    lines = [f" {json.dumps(key)}: {json.dumps(value)}," for key, value in fields.items()]
    rows = [f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in entries.items()]
    (folder / "expected.json").write_text("\n".join(["{", *lines, ' "initializers": {', ",\n".join(rows), " }", "}"]) + "\n")
    print(case, [f"{loss:.5f}" for loss in truth.losses])


def main() -> None:
    for case in sys.argv[1:] or CASES:
        record(case, CASES[case])


main()
