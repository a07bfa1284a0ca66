"""Whitening of sentence vectors."""

import torch
from torch import nn

SMALLEST_VARIANCE = 0.01
"""Of a whitened direction, as a share of the mean, so that directions with no spread stay small."""
ROWS_AT_ONCE = 65_536
"""Vectors of a covariance that are held in float64 at the same time."""


class Whitening(nn.Module):
    """h → (h − mean) Cov^(−1/2): mean 0 and similar variance in every direction.

    For sentence vectors: Su et al. (arXiv 2103.15316). Mean and covariance are not trained: a
    prefix method estimates those of every whitening in its plug before training, from the distinct
    history vectors of the train set.
    """

    mean: torch.Tensor
    matrix: torch.Tensor

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dimension))
        self.register_buffer("matrix", torch.eye(dimension))

    def estimate(self, vectors: torch.Tensor) -> None:
        """Take mean and covariance from [N, D]; fewer than two vectors change nothing.

        The covariance is shrunk towards its mean variance with the weight of D further vectors,
        since few vectors leave most directions unseen.
        """
        n, dimension = vectors.shape
        if n < 2:
            return
        mean = vectors.mean(0, dtype=torch.float64)
        scatter = torch.zeros(dimension, dimension, dtype=torch.float64)
        for rows in vectors.split(ROWS_AT_ONCE):
            centred = rows.double() - mean
            scatter += centred.T @ centred
        variances, directions = torch.linalg.eigh(scatter / (n - 1))
        average = variances.mean().clamp(min=torch.finfo(torch.float32).tiny)
        unseen = dimension / (n - 1 + dimension)
        shrunk = (1 - unseen) * variances + unseen * average
        scales = shrunk.clamp(min=SMALLEST_VARIANCE * average).rsqrt()
        self.mean.copy_(mean)
        self.matrix.copy_(directions * scales @ directions.T)

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """[..., D] → [..., D]."""
        return (vectors - self.mean) @ self.matrix
