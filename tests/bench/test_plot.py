"""Plots are drawn from the table's own numbers."""

import pytest

from tests.bench.support import GOLDS


@pytest.fixture
def project(project):
    project.says("right", GOLDS)
    project.says("wrong", dict.fromkeys(GOLDS, "3"))
    project.add('[data.again]\nroot = "data"\n')
    project.suite("right", "wrong", more='reference = "wrong"')
    return project


BOTH = ("--set", 'data=["tiny", "again"]')


def test_a_picture_of_every_row_and_source(project, bench):
    assert bench("run", *BOTH).code == 0
    done = bench("plot", *BOTH, "--out", "pictures/dial.svg")
    assert done.code == 0, done.err
    picture = (project.root / "pictures" / "dial.svg").read_text()
    for text in ("LaMP-3", "mae", "right", "wrong", "tiny", "again"):
        assert f"<!-- {text}" in picture


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "one data source"),
        (BOTH, "no cell of suite"),
    ],
)
def test_nothing_to_plot_is_said(project, bench, arguments, said):
    done = bench("plot", *arguments)
    assert (done.code, said in done.err) == (2, True), done.err


def test_an_unknown_ending_is_said(project, bench):
    bench("run", *BOTH)
    done = bench("plot", *BOTH, "--out", "dial.xyz")
    assert (done.code, "dial.xyz" in done.err) == (2, True), done.err
