"""The table model of stored cells, against scores computed by hand."""

import json
import math
import shutil

import pytest
from scipy.stats import t

from bench import store, tables
from bench.tables.build import find_method
from bench.tables.model import RowKey
from tasks.common.errors import ConfigError, StorageError
from tests.bench.support import GOLDS, edit_sealed
from tests.tasks.support import review, write_set

RIGHT, WRONG = dict(GOLDS), dict.fromkeys(GOLDS, "3")  # MAE 0 and (2 + 1 + 2 + 1) / 4
UNREADABLE = {"d1": None, "d2": "none"} | {id: GOLDS[id] for id in ("d3", "d4")}


@pytest.fixture
def project(project):
    project.says("right", RIGHT)
    project.says("wrong", WRONG)
    project.says("worse", dict.fromkeys(GOLDS, "9"))
    project.says("same", RIGHT)
    project.says("unreadable", UNREADABLE)
    return project


def build(project, *overrides, all_metrics=False):
    return tables.build(project.load(*overrides), project.plan(*overrides), all_metrics=all_metrics)


def column(table, metric="mae"):
    return next(column for column in table.columns if column.metric == metric)


def entries(table, metric="mae"):
    chosen = column(table, metric)
    return {row.method: row.entries.get(chosen) for row in table.rows}


def run(project, *methods, more="", all_metrics=False):
    project.suite(*methods, more=f'reference = "wrong"\n{more}')
    project.run()
    return build(project, all_metrics=all_metrics)


def test_values_and_columns(project):
    table = run(project, "wrong", "right", all_metrics=True)
    assert [(c.task, c.metric, c.higher_is_better, c.n) for c in table.columns] == [
        ("LaMP-3", "mae", False, 4),
        ("LaMP-3", "rmse", False, 4),
    ]
    assert [row.method for row in table.rows] == ["wrong", "right"]
    found = entries(table)
    assert found["wrong"].interval.value == 1.5
    assert found["right"].interval.value == 0
    assert entries(table, "rmse")["wrong"].interval.value == pytest.approx(2.5**0.5)


@pytest.fixture
def crowd(project):
    """12 users whose gold is 5; "wrong" errs by 2 for all, "half" for 6, "near" for 4."""
    golds = project.crowd()
    for name, n_wrong in (("c-right", 0), ("c-near", 4), ("c-half", 6), ("c-wrong", 12)):
        answers = {id: "3" if n < n_wrong else "5" for n, id in enumerate(golds)}
        project.says(name, answers, probe="SaysUnseeded")
    project.says("c-trained", dict.fromkeys(golds, "5"))
    return project


def run_crowd(project, *rows, more=""):
    project.suite(*rows, more=f'reference = "c-wrong"\n{more}')
    project.run()
    return build(project)


def test_what_the_best_does_not_exceed_is_best_too(crowd):
    """The best errs for none: p is 2/64 for "half" and 2/16 for "near", which doubles the former."""
    run_crowd(crowd, "c-wrong", "c-right", "c-near", "c-half")

    def best(*rows):
        found = entries(build(crowd, f"methods={json.dumps(rows)}"))
        return {row for row, entry in found.items() if entry.best}

    assert best("c-wrong", "c-right", "c-half") == {"c-right"}
    assert best("c-wrong", "c-right", "c-half", "c-near") == {"c-right", "c-half", "c-near"}


def test_a_bound_is_never_the_best(crowd):
    crowd.says("limit", dict.fromkeys(crowd.crowd(), "5"), probe="Bounds")
    found = entries(run_crowd(crowd, "c-wrong", "c-half", "limit", "limit@shuffled-user"))
    assert found["limit"].interval.value < found["c-half"].interval.value
    assert found["limit@shuffled-user"].interval.value < found["c-half"].interval.value
    assert {row for row, entry in found.items() if entry.best} == {"c-half"}


def test_of_few_users_nothing_is_claimed(project):
    """Fault 18: two users with equal scores have no star, no interval and no best."""
    found = entries(run(project, "wrong", "right", "same", "worse"))
    gap = found["right"].to_reference
    assert (gap.low, gap.high, gap.significant, gap.withheld) == (
        None, None, False, "2 users, of 10 needed",
    )  # fmt: skip
    assert found["right"].interval.withheld == gap.withheld
    assert not any(entry.best for entry in found.values())
    assert "no interval: 2 users, of 10 needed" in build(project).notes


def test_differences_to_the_reference(project):
    found = entries(run(project, "wrong", "right", "worse"))
    assert found["wrong"].to_reference is None
    better = found["right"].to_reference
    assert (better.difference, better.gain, better.relative) == (-1.5, 1.5, 100)
    worse = found["worse"].to_reference  # 9 for 5, 4, 1, 2: errors 4, 5 and 8, 7
    assert (worse.difference, worse.relative) == (4.5, -300)


def test_differences_have_intervals_and_tests(crowd):
    """−2 for 6 of 12 users: mean −1, variance 12/11; all 6 have one sign: p 2/64, Holm's 3/64."""
    found = entries(run_crowd(crowd, "c-wrong", "c-half", "c-right", "c-near"))
    gap = found["c-half"].to_reference
    half = t.ppf(0.975, 11) / 11**0.5
    assert (gap.difference, gap.low, gap.high) == pytest.approx((-1, -1 - half, -1 + half))
    assert gap.p == pytest.approx(2 / 2**6)
    assert found["c-right"].to_reference.p == pytest.approx(2 / 2**12)
    assert found["c-near"].to_reference.p == pytest.approx(2 / 2**8)
    assert gap.p_adjusted == pytest.approx(2 / 2**6)  # the largest of three is left as it is
    assert found["c-near"].to_reference.p_adjusted == pytest.approx(2 * 2 / 2**8)
    assert gap.verdict == "better"
    detectable = (t.ppf(0.975, 11) + t.ppf(0.8, 11)) / 11**0.5
    assert gap.detectable == pytest.approx(detectable)


def test_one_seed_of_a_trained_row_is_marked_and_proves_nothing(crowd):
    table = run_crowd(crowd, "c-wrong", "c-half", "c-trained")
    found = entries(table)["c-trained"]
    assert (found.few_seeds, found.to_reference.unproven) == ("1 seed", "1 seed")
    assert found.to_reference.p < 0.01
    assert not found.to_reference.significant
    assert entries(table)["c-half"].few_seeds == ""
    (note,) = [note for note in table.notes if note.startswith("1 seed: ")]
    assert note.endswith("seeds of trained rows of LaMP-mini lay up to 0.09 mae apart")
    crowd.run("seeds=[0, 1, 2]")
    again = entries(build(crowd, "seeds=[0, 1, 2]"))["c-trained"]
    assert (again.few_seeds, again.to_reference.verdict) == ("", "better")


def test_denominators(project):
    found = entries(run(project, "wrong", "unreadable"))
    sound, faulty = found["wrong"], found["unreadable"]
    assert (sound.n, sound.n_failed, sound.n_unparsed) == (4, 0, 0)
    assert (faulty.n, faulty.n_failed, faulty.n_unparsed) == (4, 1, 1)
    assert faulty.interval.value == (4 + 3 + 0 + 0) / 4


def test_seeds_are_averaged_and_their_failures_summed(project):
    project.probe("seeded", "Says", by_seed=["5", "none", "3"])
    found = entries(run(project, "wrong", "seeded", more="seeds = [0, 1, 2]"))["seeded"]
    of_seeds = [(0 + 1 + 4 + 3) / 4, (4 + 3 + 4 + 3) / 4, 1.5]
    assert found.interval.value == pytest.approx(sum(of_seeds) / 3)
    assert found.by_seed == pytest.approx(of_seeds)
    assert (found.seeds, found.n, found.n_failed, found.n_unparsed) == (3, 4, 0, 4)


def test_missing_scores_say_why(project):
    project.probe("broken", "Fails", file=project.root / "no")
    project.suite("right", "broken", "wrong")
    assert [row.missing for row in build(project).rows] == [{"LaMP-3": "not run"}] * 3
    assert build(project).columns == ()
    settings = ['methods=["right", "broken"]']
    project.run(*settings)
    states = {row.method: (row.missing, bool(row.entries)) for row in build(project).rows}
    assert states == {
        "right": ({}, True),
        "broken": ({"LaMP-3": "failed"}, False),
        "wrong": ({"LaMP-3": "not run"}, False),
    }


def test_a_task_without_any_score_says_why(project):
    project.suite("wrong", "right")
    assert "not run: wrong on LaMP-3; right on LaMP-3" in build(project).notes
    folder = project.root / "data/time/LaMP_3/test"
    write_set(folder, [review(id, user_id="ann") for id in GOLDS], set="test")
    project.run("evaluate=test")
    notes = build(project, "evaluate=test").notes
    assert (
        "no golds (answers in each cell's submission.json): wrong on LaMP-3; right on LaMP-3"
        in notes
    )


def test_a_missing_seed_is_reported_next_to_the_score(project):
    project.suite("right")
    project.run()
    table = build(project, "seeds=[0, 1]")
    (row,) = table.rows
    assert row.missing == {"LaMP-3": "not run"}
    assert entries(table)["right"].seeds == 1


def test_without_the_reference_there_is_no_difference(project):
    project.suite("right", "worse")
    project.run()
    assert {entry.to_reference for entry in entries(build(project)).values()} == {None}


def test_a_control_shows_what_is_personal(project):
    project.probe("learns", "Learns", file=project.root / "fits")
    table = run(project, "wrong", "learns", more="controls = true")
    found = entries(table)
    assert (
        found["learns"].to_control.difference == 0
    )  # neither answer is a score: both are farthest
    assert found["learns@shuffled-user"].to_control is None
    assert found["wrong"].to_control is None
    assert (table.instruction_only, found["learns"].to_instruction_only) == (None, None)


def test_the_instruction_only_method_is_a_control_too(project):
    table = run(project, "wrong", "right", "worse", more='instruction_only = "worse"')
    found = entries(table)
    assert table.instruction_only == "worse"
    assert found["worse"].to_instruction_only is None
    gap = found["right"].to_instruction_only  # both users: 0 for (4 + 5) / 2 and (8 + 7) / 2
    assert (gap.difference, gap.by_user.wins) == (-6.0, 2)


def test_one_primary_metric_a_task_and_all_on_request(project):
    project.suite("right")
    project.run()
    assert [column.metric for column in build(project).columns] == ["mae"]
    shown = {column.metric for column in build(project, all_metrics=True).columns}
    stored = store.read_scores(project.cells()["right"].folder).metrics
    assert shown == set(stored) == {"mae", "rmse"}


def test_notes_state_the_equal_terms(project):
    table = run(project, "wrong", "right", more="max_input_tokens = 77")
    text = "\n".join(table.notes)
    for term in ("time split", "train → dev", "77 tokens", "unparsed=lamp", "aggregator=mean"):
        assert term in text
    assert "2 beams" in text


def test_notes_state_how_many_settings_were_compared_beforehand(project):
    what = "settings compared beforehand to choose those of this suite"
    table = run(project, "wrong", "right", "right@shuffled-user")
    assert what not in "\n".join(table.notes)
    assert f"{what}: 3 of right; none of wrong" in build(project, "suites.s.trials={right=3}").notes
    with pytest.raises(ConfigError, match="trials of 'rihgt', which is no method"):
        build(project, "suites.s.trials={rihgt=3}")


def test_inapplicable_methods_are_noted(project):
    assert "copy-input on LaMP-3" in "\n".join(run(project, "wrong", "copy-input").notes)


def test_the_frame_carries_denominators_and_intervals(project):
    frame = tables.to_frame(run(project, "wrong", "right", "unreadable", all_metrics=True))
    row = frame[(frame.method == "unreadable") & (frame.metric == "mae")].iloc[0]
    assert (row.value, row.n, row.n_failed, row.n_unparsed, row.seeds) == (1.75, 4, 1, 1, 1)
    right = frame[(frame.method == "right") & (frame.metric == "mae")].iloc[0]
    assert (right.difference, right.difference_relative, right.n_users) == (-1.5, 100, 2)
    assert (right.difference_verdict, right.withheld) == ("unclear", "2 users, of 10 needed")
    assert math.isnan(right.difference_low)
    assert len(frame) == 6


def test_the_order_of_rows_changes_no_number(project):
    project.suite("wrong", "right", "unreadable", more='reference = "wrong"')
    project.run()
    other = 'methods=["unreadable", "right", "wrong"]'
    assert entries(build(project)) == entries(build(project, other))


def test_cells_scored_on_other_examples_are_refused(project):
    run(project, "wrong", "right")
    path = project.cells()["right"].folder / store.SCORES
    edit_sealed(path, lambda scores: scores["ids"].reverse())
    with pytest.raises(StorageError, match=r"'right' was scored on other examples.*bench score"):
        build(project)


def test_cells_scored_in_another_mode_are_refused(project):
    """A table must not claim scoring settings that its scores were not computed with."""
    run(project, "wrong", "unreadable")
    with pytest.raises(StorageError, match="bench score"):
        build(project, "scoring.unparsed=pplug")


def test_a_suite_over_several_sources_has_a_column_for_each(project):
    """The second source has other golds, so answers right in one are wrong in the other."""
    shutil.copytree(project.root / "data", project.root / "other")
    outputs = project.root / "other" / "time" / "LaMP_3" / "dev" / "dev_outputs.json"
    content = json.loads(outputs.read_text())
    content["golds"] = [{"id": gold["id"], "output": "1"} for gold in content["golds"]]
    outputs.write_text(json.dumps(content))
    project.add('[data.other]\nroot = "other"\n')
    project.suite("right", "wrong", more='reference = "wrong"')
    both = 'data=["tiny", "other"]'
    assert {row.missing["LaMP-3 other"] for row in build(project, both).rows} == {"not run"}
    project.run(both)
    table = build(project, both)
    assert list(dict.fromkeys(c.task for c in table.columns)) == ["LaMP-3 tiny", "LaMP-3 other"]
    (row,) = [row for row in table.rows if row.method == "right"]
    values = {c.task: e.interval.value for c, e in row.entries.items() if c.metric == "mae"}
    assert values == {"LaMP-3 tiny": 0, "LaMP-3 other": (4 + 3 + 0 + 1) / 4}
    assert len(project.plan(both).cells) == 2 * len(project.plan().cells) == 4


def test_changed_options_of_a_row_are_stated(project):
    """Of a shipped variant those that differ, of one's own all that differ from the method's."""
    project.add("[methods.bm25]\nk = 3\n[methods.mine]\nmethod = 'bm25'\nk = 2\n")
    project.suite("bm25", "mine", "zero-shot", "bm25@shuffled-user")

    def notes(*overrides):
        return [note for note in build(project, *overrides).notes if "options of its own" in note]

    assert notes() == ["bm25 has options of its own: k=3", "mine has options of its own: k=2"]
    assert notes("methods.bm25.k=4") == ["mine has options of its own: k=2"]
    own = 'options.bm25.per_task."LaMP-3".k=7'
    assert notes(own)[0] == "bm25 has options of its own: k=7"


def test_limits_are_part_of_the_terms(project):
    project.suite("right")
    assert any(
        "train → dev (evaluate_limit=2)" in n for n in build(project, "evaluate_limit=2").notes
    )


def test_cells_of_unequal_terms_are_refused_unless_asked_for(project):
    """Half of a suite was run on another device in another precision."""
    project.suite("zero-shot", "recency")
    project.run()
    assert build(project).rows
    path = project.cells()["recency"].folder / store.RECORD
    elsewhere = {"dtype": "bfloat16", "device": "cuda:0"}
    edit_sealed(path, lambda record: record["models"]["llm"].update(elsewhere))
    with pytest.raises(ConfigError, match="dtype of LLM t5 is float32 for zero-shot, bfloat16 for"):
        build(project)
    table = tables.build(project.load(), project.plan(), allow_unequal=True)
    (note,) = [note for note in table.notes if note.startswith("UNEQUAL TERMS")]
    assert "device of LLM t5 is cpu for zero-shot, cuda for recency" in note


ROWS = {
    RowKey("plain", None, None): "no LLM",
    RowKey("one", "a", "x"): "one LLM",
    RowKey("two", "a", None): "two, a",
    RowKey("two", "b", None): "two, b",
    RowKey("encoded", "a", "x"): "encoded, x",
    RowKey("encoded", "a", "y"): "encoded, y",
    RowKey("short", "a", None, (64, "lamp")): "at 64 tokens",
}


@pytest.mark.parametrize(
    ("method", "key", "found"),
    [
        ("plain", RowKey("m", "b", "y"), "no LLM"),
        ("one", RowKey("m", "a", "y"), "one LLM"),
        ("one", RowKey("m", "b", None), "one LLM"),  # the only one there is
        ("two", RowKey("m", "b", None), "two, b"),
        ("two", RowKey("m", "c", None), None),  # which of the two?
        ("encoded", RowKey("m", "a", "y"), "encoded, y"),
        ("encoded", RowKey("m", "a", "z"), "encoded, x"),
        ("short", RowKey("m", "a", None, (64, "lamp")), "at 64 tokens"),
        ("short", RowKey("m", "a", None, (256, "lamp")), None),
        ("short", RowKey("m", None, None), "at 64 tokens"),
        ("absent", RowKey("m", "a", "x"), None),
    ],
)
def test_the_row_that_another_is_compared_with(method, key, found):
    assert find_method(ROWS, method, key) == found
