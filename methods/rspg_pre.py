"""RSPG-Pre: whose prompt is best is told before the LLM answers."""

from collections.abc import Sequence

from methods.pool_method import chosen
from methods.rspg import RSPG
from tasks.example import Example, Prediction


class RSPGPre(RSPG):
    """The selector reads each member's prompt; the LLM answers the chosen one alone.

    A member that writes no prompt (a baseline without an LLM) is judged by the plain input.
    """

    name = "rspg-pre"

    def texts(self, examples: Sequence[Example]) -> list[list[str]]:
        return self.pool.prompts(examples)

    def answers(self, examples: Sequence[Example], members: Sequence[int]) -> list[Prediction]:
        found: dict[int, Prediction] = {}
        for place, member in enumerate(self.pool.members):
            rows = [row for row, choice in enumerate(members) if choice == place]
            answers = member.answers([examples[row] for row in rows])
            found |= {
                row: chosen(answer, member.name) for row, answer in zip(rows, answers, strict=True)
            }
        return [found[row] for row in range(len(examples))]
