"""GPT-2 by TorchScript: Conv1D weights, one weight for q, k, v, learned positions; the tie of the table is lost."""
from transformers import GPT2Config, GPT2LMHeadModel

from recipe import Recipe, causal_lm


def recipe() -> Recipe:
    config = GPT2Config(vocab_size=128, n_embd=32, n_layer=2, n_head=4, n_positions=40, resid_pdrop=0.0, embd_pdrop=0.0,
                        attn_pdrop=0.0, attn_implementation="eager", bos_token_id=1, eos_token_id=1)
    return causal_lm(GPT2LMHeadModel(config), 16, "torchscript", 17, ("batch", "seq"))
