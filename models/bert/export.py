"""BERT that classifies sequences, by TorchScript: padding masks, the pooler, one label a sample."""
import torch
from torch import Tensor, nn
from transformers import BertConfig, BertForSequenceClassification

from recipe import SAMPLES, Recipe, tokens


class Loss(nn.Module):
    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor) -> Tensor:
        return self.model(input_ids=input_ids, attention_mask=attention_mask, labels=labels).loss


def recipe() -> Recipe:
    config = BertConfig(vocab_size=128, hidden_size=32, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
                        max_position_embeddings=40, num_labels=6, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
                        problem_type="single_label_classification")
    length = 16
    filled = torch.randint(6, length + 1, (SAMPLES, 1), generator=torch.Generator().manual_seed(1))
    mask = (torch.arange(length) < filled).long()
    inputs = {"input_ids": tokens(128, length) * mask, "attention_mask": mask,
              "labels": torch.arange(SAMPLES) * 5 % config.num_labels}
    dynamic = {"input_ids": ("batch", "seq"), "attention_mask": ("batch", "seq"), "labels": ("batch",)}
    return Recipe(Loss(BertForSequenceClassification(config)), inputs, "torchscript", 17, dynamic)
