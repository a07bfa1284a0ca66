"""ROPG-RL: the retriever rewarded by the LLM's feedback."""

import numpy as np
import torch

from methods.ropg import ROPG, Policy


class RopgRL(ROPG):
    """REINFORCE: one candidate d a query, drawn from the retriever's own softmax, in each epoch.

    Reward: utility(d) less that of the candidate ranked first before training (methods.md §4).
    Pads are never drawn; in the release they can be, at a reward that no answer earned. Draws
    depend on query and epoch alone, not on the batch.
    """

    name = "ropg-rl"

    def losses(self, policy: Policy, epoch: int) -> torch.Tensor:
        drawn = self.draw(policy, epoch)
        rewards = _rewards(policy).gather(1, drawn)
        return -(rewards * policy.log_probabilities.gather(1, drawn)).squeeze(1)

    def dev_losses(self, policy: Policy) -> torch.Tensor:
        """Minus the expected reward."""
        return -(policy.log_probabilities.exp() * _rewards(policy)).sum(1)

    def draw(self, policy: Policy, epoch: int) -> torch.Tensor:
        """One candidate's place a row, [B, 1], by its probability (the Gumbel-max trick)."""
        shape = policy.log_probabilities.shape
        noise = np.zeros(shape, np.float32)
        for row, judged in enumerate(policy.queries):
            seed = self.runtime.seeds.seed("ropg-rl", judged.example.id, epoch)
            count = len(judged.candidates)
            noise[row, :count] = np.random.default_rng(seed).gumbel(size=count)
        log_probabilities = policy.log_probabilities.detach()
        return (log_probabilities + torch.from_numpy(noise).to(log_probabilities)).argmax(
            1, keepdim=True
        )


def _rewards(policy: Policy) -> torch.Tensor:
    """[B, L]; at pads, whose probability is 0, without meaning."""
    return policy.utilities - policy.utilities[:, :1]
