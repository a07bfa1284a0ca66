"""Notes below a table on cells that one must not trust blindly, from records edited by hand."""

import pytest

from bench import store
from bench.tables.trust import state_trust
from tests.bench.support import edit_sealed


@pytest.fixture
def done(project):
    project.says("first", {})
    project.says("second", {"d1": "", "d2": " "})
    project.suite("first", "second")
    project.run()
    for cell in project.plan().cells:
        edit_sealed(cell.folder / store.RECORD, lambda r: r["environment"].update(dirty=False))
    return project


def change(project, row, **totals):
    path = project.cells()[row].folder / store.RECORD
    edit_sealed(path, lambda record: record["totals"].update(totals))


def test_empty_answers_are_noted(done):
    assert list(state_trust(done.plan())) == [
        "answers without a character: second on LaMP-3 2 of 4"
    ]


def test_a_dirty_tree_is_noted(done):
    path = done.cells()["first"].folder / store.RECORD
    edit_sealed(path, lambda record: record["environment"].update(dirty=True))
    first, _ = state_trust(done.plan())
    assert first.startswith("1 cell was computed with uncommitted changes of the code")


def test_cut_answers_and_lost_queries_are_noted_with_ids(done):
    change(done, "second", empty=0)
    change(done, "first", at_token_limit=3, queries_lost=2, lost_ids=["d1", "d4"])
    assert list(state_trust(done.plan())) == [
        "answers that took every token they may take, so that most are cut: first on LaMP-3 3 of 4",
        "queries of which the LLM read no token, so that these answers answer nothing: first on "
        "LaMP-3 2 of 4 (ids d1, d4)",
    ]


def test_the_table_shows_them_and_records_of_before_count_nothing(done, bench):
    assert "answers without a character: second on LaMP-3 2 of 4" in bench("table").out
    for row in ("first", "second"):
        change(done, row, empty=None, at_token_limit=None, queries_lost=None)
    assert list(state_trust(done.plan())) == []
