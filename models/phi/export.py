"""Phi: attention and MLP side by side behind one LayerNorm, half of each head rotated, biases everywhere."""
from transformers import PhiConfig, PhiForCausalLM

from recipe import Recipe, causal_lm


def recipe() -> Recipe:
    config = PhiConfig(vocab_size=128, hidden_size=32, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
                       partial_rotary_factor=0.5, resid_pdrop=0.0)
    return causal_lm(PhiForCausalLM(config), 16, "dynamo", 20, ("batch",), ignored=True)
