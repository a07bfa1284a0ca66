"""Scores of parts of the queries, against parts and values counted by hand.

The project's four LaMP-3 queries: d1 and d2 are ann's, with 3 and 2 items of history; d3 and d4 are
ben's, with 1 and 0. ann and ben have 2 of the 8 train queries each. Golds: 5, 4, 1, 2.
"""

import pytest
from rich.console import Console

from bench import slices
from bench.engine import run_grid
from bench.grid import plan
from bench.settings import load_settings
from bench.slices.dimensions import DIMENSIONS, STARTS, name_bin
from tasks.common.errors import ConfigError
from tests.bench.support import GOLDS, REPOSITORY
from tests.tasks.support import review, write_set

WRONG = dict.fromkeys(GOLDS, "3")  # errors 2, 1, 2, 1
MIXED = {"d1": "5", "d2": "none", "d3": None, "d4": "3"}  # errors 0, 3 (farthest), 4 (farthest), 1


@pytest.fixture
def project(project):
    project.says("right", GOLDS)
    project.says("wrong", WRONG)
    project.says("mixed", MIXED)
    project.suite("wrong", "right", "mixed", more='reference = "wrong"')
    return project


def build(project, by, *overrides, **options):
    settings, grid = project.load(*overrides), project.plan(*overrides)
    return slices.build(settings, grid, by, **options)


def values(table, method, field="value"):
    return {s.part.name: getattr(s, field) for s in table.scores if s.row.method == method}


@pytest.mark.parametrize(
    ("number", "name"),
    [(0, "0"), (1, "1"), (2, "2–4"), (4, "2–4"), (5, "5–9"), (9, "5–9"), (10, "10–19"), (19, "10–19"),
     (20, "20–49"), (999, "500–999"), (1000, "1000+"), (10**6, "1000+")],
)  # fmt: skip
def test_bins(number, name):
    assert name_bin(number) == name
    assert STARTS[:6] == (0, 1, 2, 5, 10, 20)


def test_by_history_length(project):
    project.run()
    table = build(project, "history")
    assert [(p.place, p.name, p.n, p.users) for p in table.parts] == [
        ("LaMP-3", "0", 1, 1),
        ("LaMP-3", "1", 1, 1),
        ("LaMP-3", "2–4", 2, 1),
    ]
    assert values(table, "wrong") == {"0": 1, "1": 2, "2–4": 1.5}
    assert values(table, "mixed") == {"0": 1, "1": 4, "2–4": 1.5}
    assert values(table, "mixed", "difference") == {"0": 0, "1": 2, "2–4": 0}
    assert values(table, "mixed", "n_failed") == {"0": 0, "1": 1, "2–4": 0}
    assert values(table, "mixed", "n_unparsed") == {"0": 0, "1": 0, "2–4": 1}
    assert set(values(table, "wrong", "difference").values()) == {None}


def test_by_activity_in_the_train_set(project):
    project.run()
    table = build(project, "activity")
    assert [(p.name, p.n, p.users) for p in table.parts] == [("2–4", 4, 2)]
    assert values(table, "wrong") == {"2–4": 1.5}
    narrowed = build(project, "activity")
    assert "LaMP-3 has no query with activity 0, 1" in narrowed.notes


def test_by_seen_users(project):
    folder = project.root / "data/time/LaMP_3/train"
    asked = [review(f"t{n}", user_id=user) for n, user in enumerate(["ben", "cid"])]
    write_set(folder, asked, {"t0": "1", "t1": "2"}, set="train")
    project.run()
    table = build(project, "seen")
    assert [(p.name, p.n, p.users) for p in table.parts] == [("seen", 2, 1), ("unseen", 2, 1)]
    assert values(table, "mixed") == {"seen": 2.5, "unseen": 1.5}


def test_by_label(project):
    project.run()
    table = build(project, "label")
    assert [(p.name, p.n) for p in table.parts] == [("1", 1), ("2", 1), ("4", 1), ("5", 1)]
    assert values(table, "mixed") == {"1": 4, "2": 1, "4": 3, "5": 0}
    assert "LaMP-3 has no query with label 3" in table.notes


def test_few_users_have_no_interval_and_no_test(project):
    project.run()
    score = next(s for s in build(project, "history").scores if s.difference is not None)
    assert (score.low, score.high, score.comparison.low, score.comparison.p) == (None,) * 4
    assert score.withheld == "1 user, of 10 needed"


def test_each_part_is_tested_on_its_own_users(project):
    """24 users, 12 of a gold 1 and 12 of a gold 5: `ones` is right for the first, `fives` is not.

    Of 12 users by label "1", 10 have error 0 under `mostly` and 4 under `fives`, and 2 have 4 and 4:
    the difference is −40 / 12, and no interval of it reaches 0.
    """
    users = [f"u{n:02d}" for n in range(24)]
    golds = {user: "1" if n < 12 else "5" for n, user in enumerate(users)}
    asked = [review(user, "Text.", user_id=f"user {user}") for user in users]
    write_set(project.root / "data/time/LaMP_3/dev", asked, golds)
    project.says("fives", dict.fromkeys(users, "5"), probe="SaysUnseeded")
    mostly = {user: "1" if n < 10 else "5" for n, user in enumerate(users)}
    project.says("mostly", mostly, probe="SaysUnseeded")
    project.suite("fives", "mostly", name="l", more='reference = "fives"')
    project.run(suite="l")
    table = slices.build(project.load(suite="l"), project.plan(suite="l"), "label")
    first, second = [s for s in table.scores if s.row.method == "mostly"]
    assert (first.part.name, first.part.n, first.part.users, first.withheld) == ("1", 12, 12, "")
    assert first.difference == pytest.approx(-40 / 12)
    assert first.comparison.high < 0
    assert (first.comparison.significant, first.comparison.verdict) == (True, "better")
    # With gold 5 both are right for all 12 users: nothing varies, so there is nothing to test.
    assert (second.part.name, second.difference, second.withheld) == ("5", 0, "all users alike")


def test_seeds_are_averaged_and_their_failures_summed(project):
    project.probe("seeded", "Says", by_seed=["5", "none"])
    project.suite("wrong", "seeded", name="two", more='reference = "wrong"\nseeds = [0, 1]')
    project.run(suite="two")
    settings, grid = project.load(suite="two"), project.plan(suite="two")
    table = slices.build(settings, grid, "history")
    # d1, d2 (golds 5, 4): errors 0, 1 and, unreadable, 4, 3.
    assert values(table, "seeded", "by_seed")["2–4"] == (0.5, 3.5)
    assert values(table, "seeded")["2–4"] == 2
    assert values(table, "seeded", "n_unparsed")["2–4"] == 2


def test_macro_f1_has_no_parts(project):
    """It would count every label that a part lacks as 0."""
    project.run()
    metrics = {score.metric for score in build(project, "history", all_metrics=True).scores}
    assert metrics == {"mae", "rmse"}


def test_a_learning_curve_over_k(project):
    for k in (1, 2):
        project.add(f'[methods.vote-{k}]\nmethod = "knn-vote"\nk = {k}\n')
    project.suite(
        "wrong", "vote-1", "vote-2", "knn-vote", "dense", name="c", more='reference = "wrong"'
    )
    project.run('methods=["wrong", "vote-1", "vote-2"]', suite="c")
    overrides = ['methods=["wrong", "vote-1", "vote-2"]']
    settings, grid = project.load(*overrides, suite="c"), project.plan(*overrides, suite="c")
    table = slices.build(settings, grid, "k")
    assert [(p.name, p.n, p.users) for p in table.parts] == [
        ("no k", 4, 2),
        ("1", 4, 2),
        ("2", 4, 2),
    ]
    assert values(table, "wrong") == {"no k": 1.5}
    assert list(values(table, "knn-vote")) == ["1", "2"]
    assert "knn-vote: k 1 = vote-1, k 2 = vote-2" in table.notes


@pytest.mark.parametrize("by", [*DIMENSIONS, "k"])
def test_nothing_stored_is_said(project, by):
    with pytest.raises(ConfigError, match="bench run s"):
        build(project, by)


def test_one_k_makes_no_curve(project):
    project.run()
    with pytest.raises(ConfigError, match=r"more than one k.*differ only in k"):
        build(project, "k")


def test_a_set_that_names_no_users_has_no_seen_ones(project):
    asked = [review(id, "Text.") for id in GOLDS]
    write_set(project.root / "data/time/LaMP_3/dev", asked, GOLDS)
    project.run()
    with pytest.raises(ConfigError, match="its files name no users"):
        build(project, "seen")


def test_free_text_has_no_labels(project):
    project.run()
    with pytest.raises(ConfigError, match="Did you mean 'label'"):
        build(project, "labels")


def test_missing_data_is_said(project, bench):
    project.run()
    (project.root / "data").rename(project.root / "elsewhere")
    done = bench("table", "--slice", "history")
    assert done.code == 2
    assert str(project.root / "data") in done.err


@pytest.mark.parametrize(("format", "sign"), [("markdown", "| mixed |"), ("latex", "mixed &"),
                                              ("csv", "LaMP-3,mae,mixed"), ("terminal", "mixed")])  # fmt: skip
def test_every_format(project, bench, format, sign):
    project.run()
    done = bench("table", "--slice", "history", "-f", format)
    assert (done.code, sign in done.out) == (0, True), done.err


def test_the_frame_has_one_line_per_row_and_part(project):
    project.run()
    frame = slices.to_frame(build(project, "history"))
    assert len(frame) == 3 * 3
    line = frame[(frame.method == "mixed") & (frame.part == "2–4")].iloc[0]
    assert (line["order"], line.n, line.users, line.value) == (2, 2, 1, 1.5)
    assert line.withheld == "1 user, of 10 needed"


def test_the_pages_figures_are_those_of_the_world(tmp_path):
    """docs/slices.md quotes them; bounds and label priors need no LLM."""
    methods = 'methods=["user-blind", "knn-vote", "global-majority"]'
    folders = [f"store.runs={tmp_path / 'runs'}", f"store.cache={tmp_path / 'cache'}"]
    settings = load_settings(None, [methods, 'tasks=["LaMP-3"]', *folders], "mini-limits")
    grid = plan(settings, "mini-limits")
    run_grid(settings, grid, Console(quiet=True), lambda _: None)
    by_history = slices.build(settings, grid, "history")
    by_label = slices.build(settings, grid, "label")
    page = (REPOSITORY / "docs/slices.md").read_text(encoding="utf-8")
    for table, method, part in [
        (by_history, "user-blind", "0"), (by_history, "user-blind", "20–49"),
        (by_history, "knn-vote", "0"), (by_history, "knn-vote", "20–49"),
        (by_label, "global-majority", "4"), (by_label, "global-majority", "1"),
    ]:  # fmt: skip
        assert f"{values(table, method)[part]:.3f}".removeprefix("0") in page
    assert (by_history.parts[0].n, by_history.parts[0].users) == (6, 6)
