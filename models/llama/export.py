"""Llama by TorchScript at opset 14: attention biases, 6 heads on 2 KV heads, the rotary scaling of Llama 3."""
from transformers import LlamaConfig, LlamaForCausalLM

from recipe import Recipe, causal_lm


def recipe() -> Recipe:
    scaling = {"rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
               "original_max_position_embeddings": 32}
    config = LlamaConfig(vocab_size=128, hidden_size=48, intermediate_size=96, num_hidden_layers=2, num_attention_heads=6,
                         num_key_value_heads=2, attention_bias=True, rope_parameters=scaling)
    return causal_lm(LlamaForCausalLM(config), 16, "torchscript", 14, ("batch", "seq"), ignored=True)
