"""Qwen3: RMSNorm on each head of q and k; heads wider than hidden / heads; opset 23."""
from transformers import Qwen3Config, Qwen3ForCausalLM

from recipe import Recipe, causal_lm


def recipe() -> Recipe:
    config = Qwen3Config(vocab_size=128, hidden_size=32, intermediate_size=80, num_hidden_layers=2, num_attention_heads=4,
                         num_key_value_heads=2, head_dim=16, tie_word_embeddings=False)
    return causal_lm(Qwen3ForCausalLM(config), 16, "dynamo", 23)
