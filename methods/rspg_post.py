"""RSPG-Post: whose answer is best is told after every member has answered."""

import dataclasses
from collections.abc import Sequence

from methods.pool_method import chosen
from methods.rspg import RSPG
from tasks.example import Example, Prediction


class RSPGPost(RSPG):
    """The selector reads each member's prompt, a separator and the member's answer.

    The price of one answer is that of all members: `prompt_tokens` and `new_tokens` of a prediction
    are their sums.
    """

    name = "rspg-post"

    def texts(self, examples: Sequence[Example]) -> list[list[str]]:
        separator = self.selector.separator
        return [
            [
                f"{prompt} {separator} {answer.text or ''}"
                for prompt, answer in zip(prompts, answers, strict=True)
            ]
            for prompts, answers in zip(
                self.pool.prompts(examples), self.pool.answers(examples), strict=True
            )
        ]

    def answers(self, examples: Sequence[Example], members: Sequence[int]) -> list[Prediction]:
        return [
            dataclasses.replace(
                chosen(row[place], self.pool.members[place].name),
                prompt_tokens=sum(answer.prompt_tokens for answer in row),
                new_tokens=sum(answer.new_tokens for answer in row),
            )
            for row, place in zip(self.pool.answers(examples), members, strict=True)
        ]
