"""Phi-3: q, k, v in one weight and gate, up in another, cut by Slice and Split."""
from transformers import Phi3Config, Phi3ForCausalLM

from recipe import Recipe, causal_lm


def recipe() -> Recipe:
    config = Phi3Config(vocab_size=128, hidden_size=32, intermediate_size=72, num_hidden_layers=2, num_attention_heads=4,
                        num_key_value_heads=2, resid_pdrop=0.0, pad_token_id=0, bos_token_id=1, eos_token_id=2)
    return causal_lm(Phi3ForCausalLM(config), 16, "dynamo", 20)
