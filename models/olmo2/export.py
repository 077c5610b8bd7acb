"""OLMo 2: norms behind attention and MLP, and RMSNorm across all heads of q and k."""
from transformers import Olmo2Config, Olmo2ForCausalLM

from recipe import Recipe, causal_lm


def recipe() -> Recipe:
    config = Olmo2Config(vocab_size=128, hidden_size=32, intermediate_size=88, num_hidden_layers=2, num_attention_heads=4,
                         num_key_value_heads=2, pad_token_id=0, eos_token_id=1)
    return causal_lm(Olmo2ForCausalLM(config), 16, "dynamo", 20, ("batch", "seq"))
