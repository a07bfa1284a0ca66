"""The prompt budget: how long a prompt may be, and what gives way where it is too short."""

from dataclasses import dataclass
from typing import Literal

BudgetRule = Literal["lamp", "query-first"]
"""What gives way in a profile prompt that exceeds its budget.

- "lamp": the official builder's rule. The input may keep at most 60% of the budget, less where
  labels or titles need the room; a longer input loses its end.
- "query-first": the whole input stays, and the items share what it leaves. Their contents are cut
  first, then items are dropped, the last one first. Only an input that exceeds the budget alone
  loses its end.
"""
LAMP: BudgetRule = "lamp"
QUERY_FIRST: BudgetRule = "query-first"


@dataclass(frozen=True)
class Budget:
    """A prompt budget.

    Attributes:
        tokens: of the LLM, special tokens included.
        rule: what gives way.
    """

    tokens: int
    rule: BudgetRule = LAMP

    def __str__(self) -> str:
        return str(self.tokens) if self.rule == LAMP else f"{self.tokens} {self.rule}"
