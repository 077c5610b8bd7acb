"""Trains a recipe's model as autotp does, in float64 or float32."""
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from recipe import BATCH, STEPS, Recipe

OPTIMIZER = {"lr": 1e-3, "beta1": 0.9, "beta2": 0.95, "eps": 1e-8, "weight_decay": 0.1}


@dataclass
class Training:
    losses: list[float]
    norms: list[float]
    gradients: dict[str, np.ndarray]  # of the first step
    weights: dict[str, np.ndarray]  # after the last
    loss_after: float  # on the first batch


@contextmanager
def upcasts_to(dtype: torch.dtype) -> Iterator[None]:
    """Models upcast norms, angles and logits to float32 by name: within, that name means `dtype`."""
    kept = torch.float32, torch.float, torch.Tensor.float
    torch.float32 = torch.float = dtype
    torch.Tensor.float = lambda self: self.to(dtype)
    try:
        yield
    finally:
        torch.float32, torch.float, torch.Tensor.float = kept


def rows(recipe: Recipe, step: int, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """The batch of a step."""
    batch = [values[BATCH * step : BATCH * (step + 1)] for values in recipe.inputs.values()]
    return [values.to(dtype) if values.is_floating_point() else values for values in batch]


def train(recipe: Recipe, decayed: set[str], dtype: torch.dtype) -> Training:
    """AdamW with decay on the parameters named."""
    model = deepcopy(recipe.model).to(dtype)
    named = {name: p for name, p in model.named_parameters() if p.requires_grad}
    groups = [{"params": [p for name, p in named.items() if name in decayed], "weight_decay": OPTIMIZER["weight_decay"]},
              {"params": [p for name, p in named.items() if name not in decayed], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW([group for group in groups if group["params"]], lr=OPTIMIZER["lr"],
                                  betas=(OPTIMIZER["beta1"], OPTIMIZER["beta2"]), eps=OPTIMIZER["eps"])
    losses, norms, gradients = [], [], {}
    with upcasts_to(dtype):
        for step in range(STEPS):
            optimizer.zero_grad()
            loss = model(*rows(recipe, step, dtype))
            loss.backward()
            losses.append(loss.item())
            norms.append(torch.stack([p.grad.norm() for p in named.values() if p.grad is not None]).norm().item())
            if step == 0:
                gradients = {name: p.grad.numpy().copy() for name, p in named.items() if p.grad is not None}
            optimizer.step()
        with torch.no_grad():
            loss_after = model(*rows(recipe, 0, dtype)).item()
    weights = {name: named[name].detach().numpy() for name in gradients}
    return Training(losses, norms, gradients, weights, loss_after)
