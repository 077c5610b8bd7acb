"""Falcon: multi-query attention, whose one weight holds 4 query heads, one key and one value head."""
from transformers import FalconConfig, FalconForCausalLM

from recipe import Recipe, causal_lm


def recipe() -> Recipe:
    config = FalconConfig(vocab_size=128, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, multi_query=True,
                          parallel_attn=True, new_decoder_architecture=False, bias=False, hidden_dropout=0.0,
                          attention_dropout=0.0, bos_token_id=1, eos_token_id=1)
    return causal_lm(FalconForCausalLM(config), 16, "dynamo", 20)
