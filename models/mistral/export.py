"""Mistral: a sliding window of 6 tokens in sequences of 20."""
from transformers import MistralConfig, MistralForCausalLM

from recipe import Recipe, causal_lm


def recipe() -> Recipe:
    config = MistralConfig(vocab_size=128, hidden_size=32, intermediate_size=88, num_hidden_layers=2, num_attention_heads=4,
                           num_key_value_heads=2, sliding_window=6)
    return causal_lm(MistralForCausalLM(config), 20, "dynamo", 20, ("batch",), ignored=True)
