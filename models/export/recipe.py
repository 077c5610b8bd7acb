"""What a family's export.py hands over: a model that returns its loss, samples, and how to export it."""
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

BATCH, STEPS = 4, 5
SAMPLES = BATCH * STEPS


@dataclass
class Recipe:
    """`inputs` holds SAMPLES rows of each of the model's arguments, in their order; `dynamic` names the leading
    dimensions of an input that stay symbolic."""

    model: nn.Module
    inputs: dict[str, Tensor]
    exporter: str
    opset: int
    dynamic: dict[str, tuple[str, ...]] = field(default_factory=dict)
    shifts_labels: bool = False  # a token is predicted from those before it


class TextLoss(nn.Module):
    """The loss of a Hugging Face model on tokens and labels alone. `masks` gives it a mask of ones, without which it
    looks for packed sequences by an operator that TorchScript's exporter lacks."""

    def __init__(self, model: nn.Module, masks: bool = False):
        super().__init__()
        self.model, self.masks = model, masks

    def forward(self, input_ids: Tensor, labels: Tensor) -> Tensor:
        mask = torch.ones_like(input_ids) if self.masks else None
        return self.model(input_ids=input_ids, labels=labels, attention_mask=mask).loss


def tokens(vocabulary: int, length: int, seed: int = 0) -> Tensor:
    """Random tokens, skewed so that there is something to learn; 0 and 1 are left to padding and start tokens."""
    generator = torch.Generator().manual_seed(seed)
    skewed = torch.rand(SAMPLES, length, generator=generator).pow(2)
    return 2 + (skewed * (vocabulary - 2)).long()


def ignore_some(labels: Tensor, seed: int = 1) -> Tensor:
    """Hides a prefix of a very different length in each row, so that rows count different numbers of tokens."""
    length = labels.shape[1]
    hidden = torch.randint(0, length - 2, (labels.shape[0], 1), generator=torch.Generator().manual_seed(seed))
    return labels.masked_fill(torch.arange(length) < hidden, -100)


def causal_lm(model: nn.Module, length: int, exporter: str, opset: int, dynamic: tuple[str, ...] = (),
              ignored: bool = False) -> Recipe:
    """A Hugging Face decoder that shifts the labels itself."""
    model.config.use_cache = False
    input_ids = tokens(model.config.vocab_size, length)
    inputs = {"input_ids": input_ids, "labels": ignore_some(input_ids) if ignored else input_ids.clone()}
    return Recipe(TextLoss(model, exporter == "torchscript"), inputs, exporter, opset, {name: dynamic for name in inputs},
                  shifts_labels=True)
