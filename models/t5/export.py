"""T5: an encoder and a decoder with cross attention, relative positions from a table of buckets, gated GELU."""
from transformers import T5Config, T5ForConditionalGeneration

from recipe import Recipe, TextLoss, ignore_some, tokens


def recipe() -> Recipe:
    config = T5Config(vocab_size=128, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, dropout_rate=0.0,
                      use_cache=False, relative_attention_num_buckets=8, relative_attention_max_distance=12,
                      feed_forward_proj="gated-gelu", decoder_start_token_id=0, pad_token_id=0,
                      attn_implementation="eager")
    inputs = {"input_ids": tokens(128, 18), "labels": ignore_some(tokens(128, 12, seed=2)).flip(1)}
    dynamic = {"input_ids": ("batch", "source"), "labels": ("batch", "target")}
    return Recipe(TextLoss(T5ForConditionalGeneration(config)), inputs, "dynamo", 20, dynamic)
