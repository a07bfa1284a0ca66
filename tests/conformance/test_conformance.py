"""Every registered method on every registered task that it applies to, with tiny random models."""

import pytest
import torch

from bench.conformance import check
from bench.conformance.tiny_runtime import tiny_runtimes
from methods import METHODS
from tasks import TASKS
from tasks.data.loading import load_dataset
from tasks.lamp import LaMP7
from tasks.lamp_qa import LaMPQAArt
from tasks.sample.grammars import has_sample
from tasks.sample.writer import write_sample

LIKE_ABSTRACTS = {"LongLaMP-review", "LongLaMP-topic"}
"""Tasks that differ from LongLaMP-abstract, on which every method runs, in nothing but texts."""
WITHOUT_ANSWERS = {"LaMP-QA-lifestyle", "LaMP-QA-society"}
"""Tasks that differ from LaMP-QA-art in nothing but texts."""
ON_RUBRICS = {"zero-shot", "pool-oracle"}
"""Of the methods on LaMP-QA-art: one that reads golds, and one that doesn't."""
LEARN_ANSWERS = {
    "pplug", "embedding-to-prefix", "resampler", "tap-per", "user-lora", "pooled-lora", "style-vector",
    "task-vector",
}  # fmt: skip
ONE_OF_A_KIND = {"zero-shot", "bm25", "pplug", "copy-nearest-response"}
LIKE_E2P = {"resampler", "tap-per"}
"""Methods that differ from embedding-to-prefix, which runs on every task, in nothing but the plug."""
ONE_OF_EACH_KIND = {"LaMP-2", "LaMP-3", "LaMP-7"}
CELLS = [
    (method, task)
    for task in TASKS.names()
    for method in METHODS.names()
    if METHODS.get(method).applicable(TASKS.get(task))
    and (task not in LIKE_ABSTRACTS or method in ONE_OF_A_KIND)
    and (task in ONE_OF_EACH_KIND or method not in LIKE_E2P)
    and (task != "LaMP-QA-art" or method in ON_RUBRICS)
    and (task not in WITHOUT_ANSWERS or method == "zero-shot")
]
NO_SAMPLE = "no sample data: run `bench check METHOD -t TASK --data SOURCE`"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("conformance")
    write_sample(folder / "data", users=3, train=8, dev=6, test=1)
    return folder


@pytest.fixture(scope="module")
def surroundings(folder):
    """task → its data and runtimes; models are opened once a task."""
    made = {}

    def of(name):
        if name not in made:
            task = TASKS.get(name)()
            sets = {
                set: load_dataset(task, folder / "data", split="time", set=set)
                for set in ("train", "dev")
            }
            made[name] = {
                "task": task,
                "make_runtime": tiny_runtimes(task, folder / "models"),
                **sets,
            }
        return made[name]

    return of


@pytest.mark.parametrize(("method", "task"), CELLS)
def test_method_on_task(method, task, surroundings):
    if not has_sample(TASKS.get(task)):
        pytest.skip(NO_SAMPLE)
    trained = "training" in METHODS.get(method).Config.model_fields
    options = {"training": {"epochs": 1}} if trained else {}
    results = check(method, options, **surroundings(task))
    failures = [f"{result.name}: {result.detail}" for result in results if not result.passed]
    assert not failures, "\n".join(failures)


def test_every_method_applies_somewhere():
    assert {method for method, _ in CELLS} == set(METHODS.names())


def test_what_learns_answers_applies_only_where_golds_are_answers():
    learning = {
        method
        for method in METHODS.names()
        if METHODS.get(method).applicable(LaMP7) and not METHODS.get(method).applicable(LaMPQAArt)
    }
    assert learning >= LEARN_ANSWERS
