"""Mixtral: each token's two experts of four, chosen by a router."""
from transformers import MixtralConfig, MixtralForCausalLM

from recipe import Recipe, causal_lm


def recipe() -> Recipe:
    config = MixtralConfig(vocab_size=96, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
                           num_key_value_heads=2, num_local_experts=4, num_experts_per_tok=2, sliding_window=None,
                           experts_implementation="batched_mm")
    return causal_lm(MixtralForCausalLM(config), 16, "dynamo", 20)
