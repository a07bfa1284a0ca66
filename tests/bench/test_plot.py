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
    ("kind", "view", "shown"),
    [
        ("forest", None, "gain in mae saved: better"),
        ("pareto", "prompt tokens a query", "mae"),
        ("cold-start", None, "items in the history"),
    ],
)
def test_every_figure_of_the_report_is_a_file_too(project, bench, kind, view, shown):
    assert bench("run").code == 0
    choice = () if view is None else ("--view", view)
    done = bench("plot", "--kind", kind, *choice, "--out", "figure.svg")
    assert done.code == 0, done.err
    assert f"<!-- {shown}" in (project.root / "figure.svg").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "no cell of suite"),
        (("--kind", "forrest"), "Did you mean 'forest'"),
    ],
)
def test_nothing_to_plot_is_said(project, bench, arguments, said):
    done = bench("plot", *arguments)
    assert (done.code, said in done.err) == (2, True), done.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--kind", "dial"), "one data source"),
        (("--kind", "pareto", "--view", "euros"), "no view 'euros'"),
    ],
)
def test_a_figure_that_the_suite_lacks_is_named(project, bench, arguments, said):
    bench("run")
    done = bench("plot", *arguments)
    assert (done.code, said in done.err) == (2, True), done.err


def test_an_unknown_ending_is_said(project, bench):
    bench("run", *BOTH)
    done = bench("plot", *BOTH, "--out", "dial.xyz")
    assert (done.code, "dial.xyz" in done.err) == (2, True), done.err
