"""Gemma 2: soft-capped scores and logits, four 1 + w norms a layer, a sliding window in every other layer."""
from transformers import Gemma2Config, Gemma2ForCausalLM

from recipe import Recipe, causal_lm


def recipe() -> Recipe:
    config = Gemma2Config(vocab_size=128, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
                          num_key_value_heads=2, head_dim=8, query_pre_attn_scalar=8, sliding_window=5,
                          attn_logit_softcapping=2.0, final_logit_softcapping=4.0, attn_implementation="eager")
    return causal_lm(Gemma2ForCausalLM(config), 16, "dynamo", 20)
