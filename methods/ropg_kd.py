"""ROPG-KD: the retriever distilled from the LLM's feedback."""

from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic import PositiveFloat

from methods.method import MethodConfig
from methods.ropg import ROPG, Policy, RopgConfig


class RopgKdConfig(RopgConfig):
    """`teacher_temperature`: of the softmax over utilities."""

    teacher_temperature: PositiveFloat = 1.0


class RopgKD(ROPG):
    """KL(teacher || retriever), teacher = softmax(utility / T) over a query's candidates.

    methods.md §4. The softmax is taken once, on the log side; the released loss takes it of
    probabilities again. Pads have no part in it; in the release they count as candidates.
    """

    name = "ropg-kd"
    Config: ClassVar[type[MethodConfig]] = RopgKdConfig
    config: RopgKdConfig

    def losses(self, policy: Policy, epoch: int) -> torch.Tensor:  # noqa: ARG002
        pads = ~policy.real
        logits = policy.utilities / self.config.teacher_temperature
        teacher = torch.log_softmax(logits.masked_fill(pads, -torch.inf), dim=1)
        # 0 · log(0 / 0) at pads is to be 0: both sides read log 1 there.
        terms = F.kl_div(
            policy.log_probabilities.masked_fill(pads, 0.0),
            teacher.masked_fill(pads, 0.0),
            reduction="none",
            log_target=True,
        )
        return terms.sum(1)
