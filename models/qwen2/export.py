"""Qwen2: biases on q, k and v only; 6 query heads on 2 KV heads; a tied table."""
from transformers import Qwen2Config, Qwen2ForCausalLM

from recipe import Recipe, causal_lm


def recipe() -> Recipe:
    config = Qwen2Config(vocab_size=256, hidden_size=48, intermediate_size=112, num_hidden_layers=2, num_attention_heads=6,
                         num_key_value_heads=2, tie_word_embeddings=True)
    return causal_lm(Qwen2ForCausalLM(config), 16, "dynamo", 20, ("batch", "seq"))
