"""What a module of `evaluate` is given: answers and golds as the types that it declares to read."""

from collections.abc import Sequence
from typing import Any, Literal

from tasks.common.errors import ConfigError
from tasks.metrics.classification import Accuracy
from tasks.metrics.ordinal import MeanAbsoluteError
from tasks.scoring import Scoring
from tasks.task import Kind, Task

Form = Literal["text", "whole number", "number"]
KNOWN = ("predictions", "references")


class ModuleInputs:
    """Turns a task's answers and golds into a module's inputs.

    Texts are stripped, as for the project's own metrics. A module that reads whole numbers gets the
    indices of labels in the task's order, and -1 for an answer that is no label; on an ordinal
    task it gets the labels' numbers, and the farthest one for an answer that is no label. A failed
    answer is an empty text where texts are read.
    """

    def __init__(self, task: Task, scoring: Scoring) -> None:
        self.task = task
        # Read answers as the project's own metrics do.
        self._labels = Accuracy(task.labels)
        self._scale = (
            MeanAbsoluteError(task.labels, scoring.unparsed) if task.kind is Kind.ORDINAL else None
        )

    def unparsed(self, prediction: str) -> bool:
        """Whether an answer is not one of the task's; never, for a generation task."""
        if self._scale is not None:
            return self._scale.unparsed(prediction)
        return self.task.kind is Kind.CLASSIFICATION and self._labels.unparsed(prediction)

    def encode(
        self, features: Any, predictions: Sequence[str | None], references: Sequence[str]
    ) -> dict[str, list[Any]]:
        """Keyword arguments of the module's `compute`.

        Args:
            features: the module's `features`; of several alternatives, the simplest fitting one.

        Raises ConfigError if the module reads other inputs, or types that the task doesn't have.
        """
        reads = _choose_features(features)
        encoded: dict[str, list[Any]] = {}
        for name in reads:
            form, nested = _find_form(reads[name])
            if name == "predictions":
                pairs = list(zip(predictions, references, strict=True))
            else:
                pairs = [(reference, reference) for reference in references]
            values = [self._encode_one(text, reference, form) for text, reference in pairs]
            encoded[name] = [[value] for value in values] if nested else values
        return encoded

    def _encode_one(self, text: str | None, reference: str, form: Form) -> str | int | float:
        if form == "text":
            return (text or "").strip()
        if self._scale is not None:
            number = self._place(self._scale, text, float(reference))
            return int(number) if form == "whole number" else number
        if self.task.kind is Kind.CLASSIFICATION:
            index = self._labels.index(text)
            return index if form == "whole number" else float(index)
        raise ConfigError(
            f"the module reads {form}s, but the answers of {self.task.name} are texts",
            hint="Choose a module that reads texts",
        )

    @staticmethod
    def _place(scale: MeanAbsoluteError, text: str | None, gold: float) -> float:
        """The answer's number; the farthest label of the scale for a number that is none."""
        number = scale.value(text, gold)
        return number if number in scale.scale else scale.value(None, gold)


def _choose_features(features: Any) -> dict[str, Any]:
    """Input → its type: of several alternatives, the one without lists of references if any.

    Raises ConfigError if no alternative does with predictions and references.
    """
    alternatives = [
        dict(found) for found in (features if isinstance(features, list) else [features])
    ]
    fitting = [found for found in alternatives if "predictions" in found and {*KNOWN} >= {*found}]
    if not fitting:
        raise ConfigError(
            f"the module reads {', '.join(map(str, alternatives[0]))}",
            hint="Choose a module that reads nothing but predictions and references",
        )
    return min(fitting, key=lambda found: sum(_find_form(found[name])[1] for name in found))


def _find_form(feature: Any) -> tuple[Form, bool]:
    """What a feature of `datasets` holds, and whether in a list. Raises ConfigError for others."""
    nested = isinstance(feature, list | tuple) or hasattr(feature, "feature")
    if nested:
        feature = feature[0] if isinstance(feature, list | tuple) else feature.feature
    dtype = str(getattr(feature, "dtype", ""))
    if dtype in {"string", "large_string"}:
        return "text", nested
    if dtype.startswith(("int", "uint")):
        return "whole number", nested
    if dtype.startswith("float"):
        return "number", nested
    raise ConfigError(
        f"the module reads inputs of the type {dtype or feature!r}",
        hint="Choose a module that reads texts or numbers",
    )
