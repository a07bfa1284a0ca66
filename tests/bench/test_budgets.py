"""A suite with several prompt budgets: cells, keys, the table, and how much of a query was read."""

import pytest

from bench import tables
from bench.records import Totals
from bench.render import to_csv, to_text
from bench.render.plan import make_plan_sheet
from bench.results import load_results
from bench.tables.notes import format_share
from tasks import Prediction
from tasks.budget import Budget
from tasks.common.errors import ConfigError

SEVERAL = 'max_input_tokens = [30, 300]\nbudget_rule = ["lamp", "query-first"]'
BUDGETS = [
    Budget(30), Budget(300), Budget(30, "query-first"), Budget(300, "query-first"),
]  # fmt: skip


def test_every_method_with_an_llm_has_a_cell_for_each_budget(project):
    project.suite("zero-shot", "bm25", "global-majority", more=SEVERAL)
    cells = project.plan().cells
    for name in ("zero-shot", "bm25"):
        assert [cell.budget for cell in cells if cell.variant == name] == BUDGETS
    assert [cell.budget for cell in cells if cell.variant == "global-majority"] == [None]
    assert len({cell.key for cell in cells}) == 9
    assert len({cell.fit_key for cell in cells}) == 9
    assert cells[2].title == "LaMP-3 · zero-shot · t5 · 30 query-first · seed 0"
    sheet = make_plan_sheet(project.plan())
    assert sheet.labels == ("method", "budget")
    assert sheet.rows[2][0] == ("zero-shot", "30 query-first")


def test_one_of_several_budgets_has_the_key_of_a_suite_with_it_alone(project):
    project.suite("bm25", more=SEVERAL)
    keys = [cell.key for cell in project.plan().cells]
    alone = ("max_input_tokens=300", 'budget_rule="query-first"')
    (cell,) = project.plan(*alone).cells
    assert cell.key == keys[3]
    assert cell.title == "LaMP-3 · bm25 · t5 · seed 0"
    assert cell.depends_on.to_json()["budget_rule"] == "query-first"
    assert cell.depends_on.to_json()["max_input_tokens"] == 300


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("max_input_tokens=[256, 256]", "max_input_tokens`: names a value twice: 256, 256"),
        ("max_input_tokens=[]", "at least 1"),
        ("max_input_tokens=[256, 0]", "max_input_tokens.1`: Input should be greater than 0"),
        ("budget_rule=lmap", "budget_rule`: Input should be 'lamp' or 'query-first'"),
    ],
)
def test_a_wrong_budget_is_named(project, override, message):
    project.suite("bm25")
    with pytest.raises(ConfigError, match=message.replace(".", r"\.")):
        project.plan(override)


def test_the_table_of_several_budgets(project):
    """Reviews of LaMP-3 have about 30 tokens: 30 tokens cut them, 300 don't."""
    more = 'max_input_tokens = [12, 300]\nreference = "zero-shot"'
    project.suite("zero-shot", "bm25", "global-majority", more=more)
    project.run()
    settings, grid = project.load(), project.plan()
    table = tables.build(settings, grid)
    (column,) = table.columns
    rows = {(row.method, row.budget): row for row in table.rows}
    assert list(rows) == [
        ("zero-shot", Budget(12)), ("zero-shot", Budget(300)),
        ("bm25", Budget(12)), ("bm25", Budget(300)), ("global-majority", None),
    ]  # fmt: skip
    # Differences are taken within one budget: a reference's own rows have none.
    assert rows["zero-shot", Budget(12)].entries[column].to_reference is None
    assert rows["zero-shot", Budget(300)].entries[column].to_reference is None
    own, reference = (rows[name, Budget(300)].entries[column] for name in ("bm25", "zero-shot"))
    gap = own.to_reference.difference
    assert gap == pytest.approx(own.interval.value - reference.interval.value)
    short, long = (rows["zero-shot", Budget(n)] for n in (12, 300))
    assert (long.entries[column].query_read, long.entries[column].queries_cut) == (1.0, 0)
    assert short.entries[column].queries_cut == 4
    assert short.entries[column].query_read < 1
    assert short.cost.query_read == short.entries[column].query_read
    assert rows["global-majority", None].entries[column].query_read is None
    text = to_text(table)
    (note,) = (note for note in table.notes if "whole question" in note)
    share = format_share(short.entries[column].query_read)
    assert f"zero-shot (12) reads {share} on LaMP-3 (4 of 4 queries cut)" in note
    assert "(300)" not in note
    assert "prompt budgets 12, 300 tokens (lamp)" in text
    frame = tables.to_frame(table).set_index(["method", "max_input_tokens"])
    assert frame.loc[("zero-shot", 12), "queries_cut"] == 4
    assert "max_input_tokens,budget_rule,query_read,queries_cut" in to_csv(table).splitlines()[0]
    stored = load_results(project.runs).query("primary and method == 'zero-shot'")
    assert sorted(stored["max_input_tokens"]) == [12, 300]
    assert set(stored["budget_rule"]) == {"lamp"}
    assert sorted(stored["queries_cut"]) == [0, 4]


def test_show_says_how_much_of_a_query_is_read(project, bench):
    project.suite("zero-shot", more="max_input_tokens = [12, 300]")
    shown = bench("show", "LaMP-3", "d1").out
    assert "--- zero-shot · 12 tokens" in shown
    parts = [line for line in shown.splitlines() if "query read: " in line]
    assert len(parts) == 2
    read, of = (int(n) for n in parts[0].partition("query read: ")[2].split() if n.isdigit())
    assert read < of
    assert parts[1].endswith(f"query read: {of} of {of} tokens")


def test_totals_count_what_was_read():
    found = Totals.from_predictions(
        [
            Prediction("a", "x", query_tokens=10, query_tokens_cut=5),
            Prediction("b", "x", query_tokens=4),
            Prediction("c", None, error="no prompt"),
        ]
    )
    assert (found.query_read_mean, found.queries_cut) == (0.75, 1)
    none = Totals.from_predictions([Prediction("a", "x")])
    assert (none.query_read_mean, none.queries_cut) == (None, None)


def test_totals_of_earlier_versions_stay_readable():
    old = {
        "n": 1, "failed": 0, "truncated": 0, "prompt_tokens_mean": 1.0, "new_tokens_mean": 1.0,
        "behaviors_mean": 0.0, "notes": {},
    }  # fmt: skip
    assert Totals.model_validate(old).query_read_mean is None


def test_a_share_is_100_percent_only_if_it_is_whole():
    assert [format_share(share) for share in (1, 0.99999, 0.5, 0.6128)] == [
        "100%", "99.9%", "50%", "61.2%",
    ]  # fmt: skip
