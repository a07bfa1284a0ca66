"""An analysis of texts as sheets of formatted text, which every format draws, and in long form."""

import pandas as pd

from bench.render.sheets import ABSENT, Field, Sheet, label_names, make_labels
from bench.statistics import Comparison
from bench.tables.model import RowKey
from bench.tables.notes import format_bounds
from bench.texts.model import TextScore, TextTable

COLUMNS = [
    *("task", "method", "llm", "encoder", "max_input_tokens", "budget_rule"),
    *("measure", "value", "low", "high", "withheld", "by_seed", "seeds", "n", "users", "n_failed"),
    *("against", "difference", "difference_low", "difference_high", "difference_p", "significant"),
    "unproven",
]
WORDS = "words"
"""The measure that is a number of words, and no ratio."""


def make_sheets(table: TextTable) -> list[Sheet]:
    """A sheet for each task: a line per row, a column per measure and per difference."""
    return [
        _make_sheet(table, place, [score for score in table.scores if score.place == place])
        for place in dict.fromkeys(score.place for score in table.scores)
    ]


def _make_sheet(table: TextTable, place: str, scores: list[TextScore]) -> Sheet:
    rows = list(dict.fromkeys(score.row for score in scores))
    names = label_names(rows)
    found = {(score.row, score.measure): score for score in scores}
    columns: list[tuple[str, bool]] = []
    for measure in dict.fromkeys(score.measure for score in scores):
        columns.append((measure, False))
        if any(score.comparison and score.measure == measure for score in scores):
            columns.append((measure, True))
    against = {score.measure: score.against for score in scores if score.against}

    def make_field(row: RowKey, measure: str, is_difference: bool) -> Field:
        score = found.get((row, measure))
        if score is None or (is_difference and score.comparison is None):
            return Field(ABSENT)
        return Field(_format_difference(score.comparison) if is_difference else _format(score))

    return Sheet(
        f"{place}: {table.title}, n={scores[0].n} u={scores[0].users}",
        names,
        tuple(
            (measure, f"− {against[measure]}" if is_difference else "value")
            for measure, is_difference in columns
        ),
        tuple(
            (make_labels(names, row), tuple(make_field(row, *column) for column in columns))
            for row in rows
        ),
    )


def _format(score: TextScore) -> str:
    if score.measure == WORDS:
        failed = f" f{score.n_failed}" if score.n_failed else ""
        return f"{score.interval.value:.1f}{failed}"
    return f"{score.interval.value:.3f} {format_bounds(score.interval, '.3f')}"


def _format_difference(gap: Comparison | None) -> str:
    if gap is None:
        return ABSENT
    star = "*" if gap.significant else ""
    parts = [f"{gap.difference:+.3f}{star}", format_bounds(gap, "+.3f"), gap.unproven]
    return " ".join(part for part in parts if part)


def to_frame(table: TextTable) -> pd.DataFrame:
    """One line per row and measure; columns as in `TextScore`.

    `difference` is value − what `against` names, with its interval and its corrected p;
    `significant` says whether it may be claimed, and `unproven` why not, whatever p is.
    """
    lines = [
        {
            "task": score.place,
            "method": score.row.method,
            "llm": score.row.llm,
            "encoder": score.row.encoder,
            "max_input_tokens": None if score.row.budget is None else score.row.budget.tokens,
            "budget_rule": None if score.row.budget is None else score.row.budget.rule,
            "measure": score.measure,
            "value": score.interval.value,
            "low": score.interval.low,
            "high": score.interval.high,
            "withheld": score.interval.withheld,
            "by_seed": " ".join(f"{value:.6f}" for value in score.by_seed),
            "seeds": len(score.by_seed),
            "n": score.n,
            "users": score.users,
            "n_failed": score.n_failed,
            "against": score.against,
            **_flatten(score.comparison),
        }
        for score in table.scores
    ]
    return pd.DataFrame(lines, columns=COLUMNS).astype({"max_input_tokens": "Int64"})


def _flatten(gap: Comparison | None) -> dict[str, float | str | bool | None]:
    if gap is None:
        return {}
    return {
        "difference": gap.difference,
        "difference_low": gap.low,
        "difference_high": gap.high,
        "difference_p": gap.p_adjusted,
        "significant": gap.significant,
        "unproven": gap.unproven,
    }


def to_csv(table: TextTable) -> str:
    """`to_frame` as CSV text."""
    return to_frame(table).to_csv(index=False, float_format="%.6f", lineterminator="\n")
