"""Writes a model of transformers with random weights as torch.onnx.export does: what people bring.

Usage: export_hf.py CONFIG BATCH SEQ FILE.onnx      (called by compare.py)
"""
import json
import sys

import torch
from transformers import AutoConfig, AutoModelForCausalLM


class WithLoss(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, labels):
        logits = self.model(input_ids=input_ids, use_cache=False).logits
        return torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())


def main():
    config, batch, seq, path = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    with open(config, encoding="utf-8") as file:
        config = AutoConfig.for_model(**json.load(file))
    model = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa")
    ids = torch.randint(model.config.vocab_size, (batch, seq))
    torch.onnx.export(WithLoss(model), (ids, ids), path, dynamo=True, optimize=False, input_names=["input_ids", "labels"],
                      external_data=True)


main()
