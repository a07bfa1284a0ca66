"""Rubrics: what a good answer to a question has to cover, in place of a gold answer.

A rubric is stored as a gold: JSON text that `Rubric.dump` writes and `Rubric.parse` reads.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

FIELDS = ("aspect", "reason", "evidence")


class RubricError(ValueError):
    """A text or object is not a rubric."""


@dataclass(frozen=True, slots=True)
class Aspect:
    """One point that the user wants an answer to cover.

    Attributes:
        aspect: its title.
        reason: why it matters to the user.
        evidence: where the narrative says so.
    """

    aspect: str
    reason: str = ""
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Rubric:
    """What a judge knows of a question, and no method does.

    Attributes:
        narrative: what the user wrote about the question.
        aspects: what an answer has to cover; at least one.
    """

    narrative: str
    aspects: tuple[Aspect, ...]

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> Self:
        """A rubric from the fields `narrative` and `rubric_aspects` of LaMP-QA's files.

        Raises RubricError, naming the field, where one is missing or of another type.
        """
        narrative, aspects = raw.get("narrative"), raw.get("rubric_aspects")
        if not isinstance(narrative, str):
            raise RubricError(_fault(raw, "narrative", "text"))
        if not isinstance(aspects, list) or not aspects:
            raise RubricError(_fault(raw, "rubric_aspects", "a list of at least one aspect"))
        return cls(narrative, tuple(_read_aspect(n, raw) for n, raw in enumerate(aspects, 1)))

    @classmethod
    def parse(cls, text: str) -> Self:
        """What `dump` wrote. Raises RubricError where it is something else."""
        try:
            raw = json.loads(text)
        except ValueError as error:
            raise RubricError(f"the rubric is not JSON ({error})") from error
        if not isinstance(raw, dict):
            raise RubricError("the rubric is not an object")
        return cls.read(raw)

    def dump(self) -> str:
        """The rubric as JSON text, with the field names of LaMP-QA's files."""
        aspects = [asdict(aspect) for aspect in self.aspects]
        return json.dumps(
            {"narrative": self.narrative, "rubric_aspects": aspects}, ensure_ascii=False
        )


def _read_aspect(number: int, raw: Any) -> Aspect:
    if not isinstance(raw, Mapping):
        raise RubricError(f"aspect {number} is no object")
    fields = {name: raw.get(name) or "" for name in FIELDS}
    for name, value in fields.items():
        if not isinstance(value, str):
            raise RubricError(f"aspect {number}: {_fault(raw, name, 'text')}")
    if not fields["aspect"].strip():
        raise RubricError(f"aspect {number} has no title (field 'aspect')")
    return Aspect(**fields)


def _fault(raw: Mapping[str, Any], name: str, wanted: str) -> str:
    state = "is missing" if raw.get(name) is None else f"is not {wanted}"
    return f"the field {name!r} {state}"
