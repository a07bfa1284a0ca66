"""Checks of what `predict` returns, and of what it must neither see nor change."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from bench.conformance.subject import Check, CheckFailed, Subject
from tasks import Example, Prediction, Task


def check_predictions(subject: Subject) -> None:
    """One prediction with a text per example, in order; none for no examples."""
    _require_answers(subject.dev.examples, subject.expected)
    if subject.predict([]) != []:
        raise CheckFailed("`predict` returns predictions for no examples")


def check_golds(subject: Subject) -> None:
    """Golds that differ from the dev set's at prediction time change no prediction."""
    golds = dict(subject.dev.golds or {})
    watched = _WatchedGolds(_alter(golds, subject.task))
    method = subject.create()
    method.fit(subject.train, replace(subject.dev, golds=watched))
    watched.reads = 0
    found = method.predict(subject.dev.examples)
    if watched.reads:
        raise CheckFailed(f"`predict` reads golds ({watched.reads} times)")
    subject.compare(found, "evaluated golds altered")


def check_short_histories(subject: Subject) -> None:
    """Users with no behaviour, or with one, get an answer."""
    items = [behavior for example in subject.dev.examples for behavior in example.history]
    for history in [(), *((item,) for item in items[:1])]:
        examples = [replace(example, history=history) for example in subject.dev.examples[:2]]
        _require_answers(examples, subject.predict(examples))


def check_examples_unchanged(subject: Subject) -> None:
    """Neither `fit` nor `predict` changes the examples it is given."""
    subject.predict(subject.dev.examples)
    for set, before, dataset in zip(
        ("train", "dev"), subject.before, (subject.train, subject.dev), strict=True
    ):
        changed = [b.id for b, now in zip(before, dataset.examples, strict=True) if b != now]
        if changed:
            raise CheckFailed(f"{set} examples changed: {', '.join(changed)}")


def _require_answers(examples: Sequence[Example], found: Sequence[Prediction]) -> None:
    wanted, ids = [example.id for example in examples], [answer.id for answer in found]
    if wanted != ids:
        raise CheckFailed(f"predictions for {ids}, examples were {wanted}")
    for answer in found:
        if not isinstance(answer, Prediction):
            raise CheckFailed(f"returned a {type(answer).__name__}, not a Prediction")
        if not isinstance(answer.text, str):
            reason = answer.error or "no error given"
            raise CheckFailed(f"example {answer.id!r}: no text ({reason})")


class _WatchedGolds(Mapping[str, str]):
    """Golds that count how often they are read."""

    def __init__(self, golds: Mapping[str, str]) -> None:
        self.golds, self.reads = golds, 0

    def __getitem__(self, id: str) -> str:
        self.reads += 1
        return self.golds[id]

    def __iter__(self) -> Iterator[str]:
        self.reads += 1
        return iter(self.golds)

    def __len__(self) -> int:
        return len(self.golds)


def _alter(golds: Mapping[str, str], task: Task) -> dict[str, str]:
    """Another label, or another text where the task has no labels, for each example.

    Where golds are no answers, each is the next example's.
    """
    if not task.gold_is_answer:
        values = list(golds.values())
        return dict(zip(golds, [*values[1:], *values[:1]], strict=True))
    labels = task.labels
    return {
        id: labels[(labels.index(gold) + 1) % len(labels)] if gold in labels else f"{gold} altered"
        for id, gold in golds.items()
    }


ANSWERS: Mapping[str, Check] = {
    "predictions": check_predictions,
    "golds": check_golds,
    "short-histories": check_short_histories,
    "examples-unchanged": check_examples_unchanged,
}
