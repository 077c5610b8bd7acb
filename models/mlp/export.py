"""A plain classifier of three linear layers with GELU, asked for at opset 21, static."""
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from recipe import SAMPLES, Recipe


class Loss(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(32, 96), nn.GELU(), nn.Linear(96, 96), nn.GELU(), nn.Linear(96, 10))

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        return cross_entropy(self.layers(x), labels)


def recipe() -> Recipe:
    x = torch.randn(SAMPLES, 32, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(SAMPLES) * 3 % 10
    labels[::6] = -100
    return Recipe(Loss(), {"x": x, "labels": labels}, "dynamo", 21)
