"""Gemma: one KV head, gelu_tanh gates, 1 + w norms, scaled and tied embeddings."""
from transformers import GemmaConfig, GemmaForCausalLM

from recipe import Recipe, causal_lm


def recipe() -> Recipe:
    config = GemmaConfig(vocab_size=144, hidden_size=32, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
                         num_key_value_heads=1, head_dim=16)
    return causal_lm(GemmaForCausalLM(config), 16, "dynamo", 20, ("batch",))
