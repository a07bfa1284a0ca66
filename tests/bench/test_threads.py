"""Threads of a process: by the user's word, the size of the models, and the cores it may use."""

import os

import pytest

from bench import threads


@pytest.fixture
def cores(monkeypatch, tmp_path):
    """Eight cores of no container, all of which torch would take, and no word of the user's."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(threads, "count_default_threads", lambda: 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(threads, "CGROUP", tmp_path / "cpu.max")
    return tmp_path / "cpu.max"


def choose(project, workers, *overrides, methods=()):
    settings = project.load(*overrides)
    return threads.choose_threads(settings, settings.suite("s")[1], workers, methods)


@pytest.mark.parametrize("workers", [1, 2])
def test_small_models_have_one_thread(project, cores, workers):
    project.suite("zero-shot")
    assert choose(project, workers) == 1
    assert choose(project, workers, 'llms=["embedded"]', 'encoders=["embedded"]') == 1


def test_cores_are_shared_among_the_workers_of_a_suite_with_a_large_model(
    project, cores, monkeypatch
):
    project.suite("zero-shot")
    monkeypatch.setattr(threads, "SMALL_BYTES", 1)
    assert [choose(project, workers) for workers in (1, 3, 20)] == [8, 2, 1]


def test_torch_may_take_fewer_threads_than_there_are_logical_cores(project, cores, monkeypatch):
    project.suite("zero-shot")
    monkeypatch.setattr(threads, "SMALL_BYTES", 1)
    monkeypatch.setattr(threads, "count_default_threads", lambda: 4)
    assert choose(project, 2) == 2
    cores.write_text("100000 100000")
    assert choose(project, 1) == 1


def test_one_large_model_is_enough(project, cores):
    project.suite("zero-shot")
    assert choose(project, 2, 'llms=["t5","flan-t5-xxl"]') == 4  # names on the hub count as large
    assert choose(project, 2, 'encoders=["bge-base"]') == 4


def test_a_model_that_a_method_names_counts(project, cores):
    project.suite("zero-shot")
    large = 'methods.pag.summarizer={model="google/flan-t5-xxl"}'
    assert choose(project, 1, large) == 1
    assert choose(project, 1, large, methods=["pag"]) == 8
    assert choose(project, 1, large, 'methods=["zero-shot","pag@shuffled-user"]') == 8


def test_a_served_llm_needs_no_threads(project, cores):
    project.suite("zero-shot")
    served = 'llms.t5={model="some/model",endpoint="http://127.0.0.1:1/v1"}'
    assert choose(project, 1, served) == 1


@pytest.mark.parametrize(("workers", "expected"), [(1, 8), (2, 4), (20, 1)])
def test_omp_num_threads_wins_and_is_shared(project, cores, monkeypatch, workers, expected):
    project.suite("zero-shot")
    monkeypatch.setenv("OMP_NUM_THREADS", "8")  # which torch reads
    assert choose(project, workers) == expected


def test_threads_wait_asleep_unless_the_environment_says_otherwise(monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    monkeypatch.setenv("KMP_BLOCKTIME", "")
    monkeypatch.delenv("KMP_BLOCKTIME")  # set first, so that its absence is restored
    threads.wait_passively()
    assert (os.environ["OMP_WAIT_POLICY"], os.environ["KMP_BLOCKTIME"]) == ("ACTIVE", "0")


@pytest.mark.parametrize(
    ("text", "expected"), [("max 100000", 8), ("250000 100000", 2), ("50000 100000", 1)]
)
def test_a_container_may_allow_fewer_cores(cores, text, expected):
    cores.write_text(text)
    assert threads.count_cores() == expected
