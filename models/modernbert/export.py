"""ModernBERT that fills masked tokens: local and global attention in turn, GeGLU, no biases; most labels are ignored."""
import torch
from transformers import ModernBertConfig, ModernBertForMaskedLM

from recipe import SAMPLES, Recipe, TextLoss, tokens


def recipe() -> Recipe:
    config = ModernBertConfig(vocab_size=128, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
                              num_attention_heads=4, global_attn_every_n_layers=2, local_attention=8, pad_token_id=0,
                              bos_token_id=1, eos_token_id=1, cls_token_id=1, sep_token_id=1, attention_dropout=0.0,
                              mlp_dropout=0.0, embedding_dropout=0.0, attn_implementation="sdpa",
                              reference_compile=False)
    length, mask_token = 16, 1
    text = tokens(128, length)
    share = torch.linspace(0.1, 0.6, SAMPLES)[:, None]
    hidden = torch.rand(SAMPLES, length, generator=torch.Generator().manual_seed(1)) < share
    inputs = {"input_ids": text.masked_fill(hidden, mask_token), "labels": text.masked_fill(~hidden, -100)}
    return Recipe(TextLoss(ModernBertForMaskedLM(config)), inputs, "dynamo", 20, {name: ("batch",) for name in inputs})
