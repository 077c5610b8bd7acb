"""ViT: patches by a convolution, a class token, learned positions."""
import torch
from torch import Tensor, nn
from transformers import ViTConfig, ViTForImageClassification

from recipe import SAMPLES, Recipe


class Loss(nn.Module):
    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, pixel_values: Tensor, labels: Tensor) -> Tensor:
        return self.model(pixel_values=pixel_values, labels=labels).loss


def recipe() -> Recipe:
    config = ViTConfig(hidden_size=32, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4, image_size=16,
                       patch_size=4, num_channels=3, num_labels=10, hidden_dropout_prob=0.0,
                       attention_probs_dropout_prob=0.0, problem_type="single_label_classification")
    images = torch.randn(SAMPLES, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    inputs = {"pixel_values": images, "labels": torch.arange(SAMPLES) * 7 % config.num_labels}
    return Recipe(Loss(ViTForImageClassification(config)), inputs, "dynamo", 20, {name: ("batch",) for name in inputs})
