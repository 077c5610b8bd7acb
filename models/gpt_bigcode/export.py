"""GPT-BigCode (StarCoder): multi-query attention in one biased weight, learned positions whose first rows become an
initializer of their own in a static export."""
from transformers import GPTBigCodeConfig, GPTBigCodeForCausalLM

from recipe import Recipe, causal_lm


def recipe() -> Recipe:
    config = GPTBigCodeConfig(vocab_size=160, n_embd=64, n_layer=2, n_head=4, n_inner=96, n_positions=40, resid_pdrop=0.0,
                              embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=1, eos_token_id=1)
    return causal_lm(GPTBigCodeForCausalLM(config), 16, "dynamo", 20)
