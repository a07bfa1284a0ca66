"""One plug for several tasks: their training data as one."""

from collections.abc import Mapping, Sequence

import torch

from methods.models.training import TrainingData


def join(parts: Mapping[str, TrainingData]) -> TrainingData:
    """Task → training data, as one: every row of every task, in the order of the tasks.

    Each row counts once, so a task counts by its examples, and within a step by its response
    tokens, as everywhere. A forward pass holds rows of one task, and ids name theirs.
    """
    rows = [(name, row) for name, part in parts.items() for row in range(len(part.ids))]

    def nll(indices: Sequence[int], epoch: int) -> tuple[torch.Tensor, torch.Tensor]:
        places: dict[str, list[int]] = {}
        for place, index in enumerate(indices):
            places.setdefault(rows[index][0], []).append(place)
        found = [
            parts[name].nll([rows[indices[place]][1] for place in places[name]], epoch)
            for name in parts
            if name in places
        ]
        order = [place for name in parts for place in places.get(name, ())]
        back = torch.tensor(order, device=found[0][0].device).argsort()
        sums, tokens = (torch.cat(column)[back] for column in zip(*found, strict=True))
        return sums, tokens

    return TrainingData(
        ids=[f"{name} {parts[name].ids[row]}" for name, row in rows],
        lengths=[parts[name].lengths[row] for name, row in rows],
        nll=nll,
    )
