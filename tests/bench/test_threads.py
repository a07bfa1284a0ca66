"""Threads of a process: by the user's word, the size of the models, and the cores it may use."""

import os

import pytest

from bench import threads


@pytest.fixture
def cores(monkeypatch, tmp_path):
    """Eight cores of no container, and no word of the user's."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(threads, "CGROUP", tmp_path / "cpu.max")
    return tmp_path / "cpu.max"


def choose(project, number, *overrides):
    settings = project.load(*overrides)
    return threads.choose_threads(settings, settings.suite("s")[1], number)


@pytest.mark.parametrize("number", [1, 2])
def test_small_models_have_one_thread(project, cores, number):
    project.suite("zero-shot")
    assert choose(project, number) == 1
    assert choose(project, number, 'llms=["embedded"]') == 1


def test_cores_are_shared_among_the_processes_of_a_large_model(project, cores, monkeypatch):
    project.suite("zero-shot")
    monkeypatch.setattr(threads, "SMALL_BYTES", 1)
    assert [choose(project, number) for number in (1, 3, 20)] == [8, 2, 1]
    assert choose(project, 1, 'llms=["t5","flan-t5-xxl"]') == 8


def test_a_hub_name_counts_as_large(project, cores):
    project.suite("zero-shot")
    assert choose(project, 2, 'llms=["t5","flan-t5-xxl"]') == 4


def test_the_users_word_wins(project, cores, monkeypatch):
    project.suite("zero-shot")
    monkeypatch.setenv("OMP_NUM_THREADS", "3,2")
    assert choose(project, 2) == 3
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    monkeypatch.delenv("KMP_BLOCKTIME", raising=False)
    threads.wait_passively()
    assert (os.environ["OMP_WAIT_POLICY"], os.environ["KMP_BLOCKTIME"]) == ("ACTIVE", "0")
    monkeypatch.delenv("KMP_BLOCKTIME")


@pytest.mark.parametrize(
    ("text", "expected"), [("max 100000", 8), ("250000 100000", 2), ("50000 100000", 1)]
)
def test_a_container_may_allow_fewer_cores(cores, text, expected):
    cores.write_text(text)
    assert threads.count_cores() == expected
