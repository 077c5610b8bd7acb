"""A recommender: a tower of user and country tables, one of item and category tables, and the dot product of the two;
the loss is the binary cross-entropy of a click."""
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from recipe import SAMPLES, Recipe

USERS, COUNTRIES, ITEMS, CATEGORIES, WIDTH = 200, 12, 256, 24, 16


class Tower(nn.Module):
    def __init__(self, ids: int, groups: int):
        super().__init__()
        self.ids, self.groups = nn.Embedding(ids, WIDTH), nn.Embedding(groups, WIDTH)
        self.layers = nn.Sequential(nn.Linear(2 * WIDTH, 64), nn.ReLU(), nn.Linear(64, 24))

    def forward(self, one: Tensor, group: Tensor) -> Tensor:
        return self.layers(torch.cat([self.ids(one), self.groups(group)], -1))


class Loss(nn.Module):
    def __init__(self):
        super().__init__()
        self.user, self.item = Tower(USERS, COUNTRIES), Tower(ITEMS, CATEGORIES)

    def forward(self, user: Tensor, country: Tensor, item: Tensor, category: Tensor, labels: Tensor) -> Tensor:
        scores = (self.user(user, country) * self.item(item, category)).sum(-1)
        return binary_cross_entropy_with_logits(scores, labels)


def recipe() -> Recipe:
    generator = torch.Generator().manual_seed(0)
    inputs = {name: torch.randint(0, count, (SAMPLES,), generator=generator)
              for name, count in {"user": USERS, "country": COUNTRIES, "item": ITEMS, "category": CATEGORIES}.items()}
    inputs["labels"] = torch.randint(0, 2, (SAMPLES,), generator=generator).float()
    return Recipe(Loss(), inputs, "dynamo", 20, {name: ("batch",) for name in inputs})
