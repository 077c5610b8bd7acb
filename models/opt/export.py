"""OPT: a position table indexed by a running sum of the mask plus 2, ReLU, biases."""
from transformers import OPTConfig, OPTForCausalLM

from recipe import Recipe, causal_lm


def recipe() -> Recipe:
    config = OPTConfig(vocab_size=128, hidden_size=32, ffn_dim=96, num_hidden_layers=2, num_attention_heads=4,
                       max_position_embeddings=40, word_embed_proj_dim=32, dropout=0.0, attention_dropout=0.0)
    return causal_lm(OPTForCausalLM(config), 16, "dynamo", 20, ("batch", "seq"), ignored=True)
