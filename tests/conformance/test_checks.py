"""Every check of the suite can fail, and a sound method fails none."""

import pytest

from bench.conformance import CHECKS, check
from methods.core.runtime import Runtime
from tasks import TASKS
from tasks.common.seeds import Seeds
from tests.conformance import broken
from tests.methods.helpers import behavior, example, split

TASK = TASKS.get("LaMP-4")()


class OneSizeLLM:
    def __init__(self, batch_size):
        self.config = type("Config", (), {"batch_size": batch_size})


def make_runtime(folder, *, batch_size):
    return Runtime(
        task=TASK,
        seeds=Seeds.root("conformance"),
        max_input_tokens=100,
        cache=folder / "cache",
        scratch=folder / "scratch",
        open_llm=lambda: OneSizeLLM(batch_size),
    )


def run(method, **config):
    histories = [[], ["a"], ["a", "b"], ["a", "b", "c"], ["d", "e"]]
    examples = [
        example(f"id{n}", "word " * n, [behavior(str(i), text) for i, text in enumerate(history)])
        for n, history in enumerate(histories)
    ]
    golds = {asked.id: f"gold {asked.id}" for asked in examples}
    results = check(
        f"{broken.__name__}:{method.__name__}",
        config,
        task=TASK,
        train=split(golds, examples=[example(id, history=[behavior("x")]) for id in golds]),
        dev=split(golds, examples=examples, set="dev"),
        make_runtime=make_runtime,
    )
    assert [result.name for result in results] == list(CHECKS)
    return {result.name: result for result in results}


def failed(results):
    return {name for name, result in results.items() if not result.passed}


@pytest.mark.parametrize("method", [broken.Sound, broken.Trains])
def test_a_sound_method_passes(method):
    results = run(method)
    assert failed(results) == set()
    skipped = {name for name, result in results.items() if result.skipped}
    assert skipped == {"seeds"} | ({"killed-and-resumed"} if method is broken.Sound else set())


@pytest.mark.parametrize(
    ("method", "check_name", "detail"),
    [
        (broken.BadVersion, "registration", "`version` is '1.0'"),
        (broken.NeverApplicable, "registration", "not applicable to LaMP-4"),
        (broken.TakesAnything, "unknown-key", "unknown key"),
        (broken.LosesOne, "predictions", "examples were"),
        (broken.WrongOrder, "predictions", "examples were"),
        (broken.NoText, "predictions", "no text"),
        (broken.NonDeterministic, "determinism", "fitted again"),
        (broken.Unseeded, "determinism", "fitted again"),
        (broken.DeniesItsSeeds, "seeds", "another seed"),
        (broken.BatchDependent, "batch-size", "LLM batch size 1"),
        (broken.OrderDependent, "user-order", "another order"),
        (broken.NeighbourDependent, "neighbours", "half of the examples"),
        (broken.PeeksThroughAGlobal, "golds", "reads golds (5 times)"),
        (broken.RemembersGolds, "golds", "evaluated golds altered"),
        (broken.SavesNothing, "save-and-load", "saved and loaded"),
        (broken.Pickles, "save-and-load", "model.pkl"),
        (broken.ResumesWrongly, "killed-and-resumed", "killed at step 3 of 6 and resumed"),
        (broken.TrainsSilently, "killed-and-resumed", "no progress"),
        (broken.NeedsHistory, "short-histories", "IndexError"),
        (broken.OneItem, "short-histories", "ZeroDivisionError"),
        (broken.ReportsNoJson, "reports", "not JSON serializable"),
        (broken.Mutates, "examples-unchanged", "dev examples changed"),
        (broken.MutatesInFit, "examples-unchanged", "train examples changed"),
    ],
)
def test_a_broken_rule_is_found(method, check_name, detail):
    results = run(method)
    result = results[check_name]
    assert not result.passed
    assert detail in results.get(result.detail.removeprefix("as in "), result).detail


@pytest.mark.parametrize(
    "method",
    [
        broken.BadVersion,
        broken.TakesAnything,
        broken.DeniesItsSeeds,
        broken.BatchDependent,
        broken.SavesNothing,
        broken.Pickles,
        broken.ResumesWrongly,
        broken.TrainsSilently,
        broken.ReportsNoJson,
        broken.MutatesInFit,
    ],
)
def test_only_the_broken_rule_is_blamed(method):
    assert len(failed(run(method))) == 1


def test_a_config_that_does_not_fit_fails_and_raises_nothing():
    results = run(broken.Sound, no_such_option=1)
    details = [result.detail for result in results.values() if not result.passed]
    assert "no_such_option" in details[0]
    assert len(details) > 2
    assert set(details[1:]) == {"as in reports"}
