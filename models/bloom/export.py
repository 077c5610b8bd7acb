"""BLOOM: ALiBi slopes added to the scores, q, k, v interleaved by head, a norm behind the embeddings."""
from transformers import BloomConfig, BloomForCausalLM

from recipe import Recipe, causal_lm


def recipe() -> Recipe:
    config = BloomConfig(vocab_size=128, hidden_size=32, n_layer=2, n_head=4, hidden_dropout=0.0, attention_dropout=0.0)
    return causal_lm(BloomForCausalLM(config), 16, "dynamo", 20)
