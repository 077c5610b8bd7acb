"""GPT-NeoX by TorchScript at opset 13: q, k, v interleaved by head, a quarter of each head rotated, parallel residual."""
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

from recipe import Recipe, causal_lm


def recipe() -> Recipe:
    config = GPTNeoXConfig(vocab_size=128, hidden_size=32, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
                           rotary_pct=0.25, hidden_dropout=0.0, attention_dropout=0.0, attn_implementation="eager",
                           bos_token_id=1, eos_token_id=1)
    return causal_lm(GPTNeoXForCausalLM(config), 16, "torchscript", 13, ("batch",))
