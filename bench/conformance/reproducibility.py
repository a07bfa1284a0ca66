"""Checks that the same cell gives the same predictions (law 4)."""

import random
from collections.abc import Mapping

from bench.conformance.subject import BATCH_SIZE, Check, CheckSkipped, Subject
from tasks.common.seeds import Seeds


def check_determinism(subject: Subject) -> None:
    """A second fit, and a second `predict` of the same fit, give the same predictions."""
    subject.compare(subject.refit_and_predict(), "fitted again")
    subject.compare(subject.predict(subject.dev.examples), "asked again")


def check_seeds(subject: Subject) -> None:
    """A method with `seeded = False`, which runs with one seed of a suite, ignores the seed."""
    if subject.method.seeded:
        raise CheckSkipped("not checked: the method does not declare `seeded = False`")
    method = subject.create(seeds=Seeds.root("conformance", "other seeds"))
    method.fit(subject.train, subject.dev)
    subject.compare(method.predict(subject.dev.examples), "another seed")


def check_batch_size(subject: Subject) -> None:
    """The LLM's batch size changes no prediction."""
    where = f"LLM batch size 1 instead of {BATCH_SIZE}"
    subject.compare(subject.refit_and_predict(batch_size=1), where)


def check_user_order(subject: Subject) -> None:
    """The order of the examples changes no prediction."""
    shuffled = list(subject.dev.examples)
    random.Random(0).shuffle(shuffled)
    subject.compare(subject.predict(shuffled), "examples in another order")


def check_neighbours(subject: Subject) -> None:
    """An example's prediction does not depend on the examples predicted with it."""
    examples = subject.dev.examples
    subject.compare(subject.predict(examples[len(examples) // 2 :]), "half of the examples")
    for example in examples[:2]:
        subject.compare(subject.predict([example]), "an example alone")


REPRODUCIBILITY: Mapping[str, Check] = {
    "determinism": check_determinism,
    "seeds": check_seeds,
    "batch-size": check_batch_size,
    "user-order": check_user_order,
    "neighbours": check_neighbours,
}
