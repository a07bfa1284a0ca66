"""The three sentences, from tables whose verdicts are given."""

import pytest

from bench.report.answer import write_answer
from bench.report.model import Series
from bench.statistics import Comparison, Interval, Outcomes
from bench.tables import Column, Entry, Row, Table

COLUMNS = tuple(Column(f"T{n}", "accuracy", True, 20) for n in (1, 2, 3))


def compared(verdict):
    """A comparison with this verdict: "+", "-" or "?"; None of none."""
    if verdict is None:
        return None
    nothing = Outcomes(0, 0, 0)
    return Comparison(
        difference=-0.1 if verdict == "-" else 0.1,
        low=None,
        high=None,
        p=0.5,
        p_adjusted=0.5 if verdict == "?" else 0.01,
        confidence=0.95,
        higher_is_better=True,
        relative=None,
        n_users=20,
        n_seeds=1,
        by_user=nothing,
        by_seed=nothing,
        withheld="",
        unproven="",
        detectable=None,
        users_needed=None,
        seeds_needed=None,
        effects=None,
    )


def row(name, reference, *, best="   ", control="..."):
    """`reference`, `best` and `control` have one character for each task."""
    entries = {
        column: Entry(
            Interval(0.5),
            compared(None if r == "." else r),
            compared(None if c == "." else c),
            None,
            (0.5,),
            20,
            0,
            0,
            best=b == "*",
        )
        for column, r, b, c in zip(COLUMNS, reference, best, control, strict=True)
    }
    return Row(name, None, None, entries, {})


def answer(*rows):
    table = Table("t", "zero", None, COLUMNS, rows, ())
    return write_answer(table, {row.key: Series(row.method, n) for n, row in enumerate(rows)})


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([row("zero", "..."), row("a", "???")],
         "No method is shown to be better or worse than zero on any task."),
        ([row("zero", "..."), row("a", "+++"), row("b", "+?-"), row("c", "?-?"), row("d", "???")],
         "a is better than zero on all 3 tasks; so is b on 1 (but worse on T3); worse: c on 1 of 3 "
         "tasks; not shown to differ: d."),
        ([row("a", "--?")],
         "No method is shown to be better than zero on any task; worse: a on 2 of 3 tasks."),
        ([row("zero", "...")], "No row can be compared with zero, the reference."),
    ],
)  # fmt: skip
def test_who_beats_the_reference(rows, said):
    assert answer(*rows)[0] == said


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([row("a", "???", best="**"" "), row("b", "???", best=" **")],
         "a and b are best, or not separable from the best, on 2 of 3 tasks; alone at the top: a on "
         "T1 and b on T3."),
        ([row("a", "???", best="***"), row("b", "???", best="*  ")],
         "a is best, or not separable from the best, on all 3 tasks; b on 1; alone at the top: a on "
         "T2 and T3."),
        ([row("a", "???")], "On no task could the best be told from the rest."),
        ([row("a", "???", best="***"), row("b", "???", best="***")],
         "Nobody stands out: none of the 2 is separable from the best of any task."),
    ],
)  # fmt: skip
def test_who_is_best(rows, said):
    assert answer(*rows)[1] == said


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([row("a", "+++", control="+++"), row("b", "+++", control="+++"),
          row("c", "+++", control="+??"), row("d", "+++", control="???")],
         "Personal, that is worse with another user's history: a and b on all 3 tasks; c on 1 of 3 "
         "tasks; not shown to be: d."),
        ([row("a", "+++", control="???")],
         "No gain is shown to be personal: with another user's history, no method is shown to be "
         "worse."),
    ],
)  # fmt: skip
def test_whether_a_gain_is_personal(rows, said):
    assert answer(*rows)[2] == said


def test_with_several_sources_columns_are_counted():
    rows = (row("zero", "..."), row("a", "+++"))
    table = Table("t", "zero", None, COLUMNS, rows, ())
    series = {r.key: Series(r.method, n) for n, r in enumerate(rows)}
    said = write_answer(table, series, several_sources=True)
    assert said[0] == "a is better than zero on all 3 columns."


def test_a_bound_is_never_the_answer():
    rows = [row("oracle", "+++", best="   "), row("a", "???")]
    table = Table("t", "zero", None, COLUMNS, tuple(rows), ())
    series = {rows[0].key: Series("oracle", 0, bound=True), rows[1].key: Series("a", 0)}
    assert not any("oracle" in sentence for sentence in write_answer(table, series))
