"""The table model as terminal, markdown, LaTeX (booktabs) and CSV text."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from statistics import stdev

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from bench import tables
from bench.statistics import Interval
from bench.tables import Column, Entry, Row, Table

ABSENT = "–"
TEX = str.maketrans(
    {"\\": r"\textbackslash{}", "Δ": r"$\Delta$", "↑": r"$\uparrow$", "↓": r"$\downarrow$"}
    | {"–": "--", "−": "$-$", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {character: f"\\{character}" for character in "&%$#_{}"}
)


@dataclass(frozen=True)
class Cell:
    """A formatted cell."""

    text: str
    bold: bool = False


@dataclass(frozen=True)
class Sheet:
    """What every format draws: labels, and columns that belong to a task each."""

    title: str
    labels: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[tuple[str, ...], tuple[Cell, ...]], ...]


PRICES = {
    ("shared", "parameters"): "trainable_shared",
    ("shared", "fit s"): "fit_seconds",
    ("user", "parameters"): "trainable_per_user",
    ("user", "bytes"): "bytes_per_user",
    ("user", "s"): "seconds_per_user",
    ("query", "ms"): "query_ms",
    ("query", "prompt tokens"): "prompt_tokens",
}
"""Column of the cost sheet → field of `Price`."""


def sheets(table: Table, *, intervals: bool = False) -> list[Sheet]:
    """The scores; where rows have controls, what is personal in them; and what rows cost."""
    labels = _label_names(table)
    scores = Sheet(
        table.title,
        labels,
        tuple((column.task, _metric(column)) for column in table.columns),
        tuple(
            (
                _labels(labels, row),
                tuple(_score(row, column, intervals) for column in table.columns),
            )
            for row in table.rows
        ),
    )
    controlled = [row for row in table.rows if any(e.to_control for e in row.entries.values())]
    several_seeds = any(entry.seeds > 1 for row in controlled for entry in row.entries.values())
    gaps_shown = (
        f"− {table.reference}",
        *([f"− {table.instruction_only}"] if table.instruction_only else []),
        "Δuser",
        *(["seed sd of"] if several_seeds else []),
    )
    if not controlled:
        return [scores, *_prices(labels, table)]
    primary = list({column.task: column for column in reversed(table.columns)}.values())[::-1]
    gaps = Sheet(
        "differences in the primary metric, with intervals; * excludes 0",
        labels,
        tuple((column.task, f"{gap} {column.metric}") for column in primary for gap in gaps_shown),
        tuple(
            (
                _labels(labels, row),
                tuple(
                    gap
                    for column in primary
                    for gap in _gaps(row.entries.get(column), table.instruction_only, several_seeds)
                ),
            )
            for row in controlled
        ),
    )
    return [scores, gaps, *_prices(labels, table)]


def _prices(labels: tuple[str, ...], table: Table) -> list[Sheet]:
    """What each row costs; no sheet where nothing is done yet."""
    priced = [(row, row.price) for row in table.rows if row.price is not None]
    if not priced:
        return []
    return [
        Sheet(
            "cost, means over tasks and seeds",
            labels,
            tuple(PRICES),
            tuple(
                (
                    _labels(labels, row),
                    tuple(Cell(_amount(getattr(price, name))) for name in PRICES.values()),
                )
                for row, price in priced
            ),
        )
    ]


def _amount(value: float) -> str:
    """Whole from 100 on, to a tenth from 1 on, below that two digits."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}".removesuffix(".0") if value >= 1 else f"{value:.2g}"


def to_console(table: Table, console: Console, *, intervals: bool = False) -> None:
    """Print the table, in as many parts as the width asks for, and below it its notes."""
    for sheet in sheets(table, intervals=intervals):
        for number, part in enumerate(_parts(sheet, console.width)):
            console.print(_drawn(sheet, part, title=sheet.title if number == 0 else None))
    for note in table.notes:
        console.print(note, style="dim", markup=False, highlight=False)


def _drawn(sheet: Sheet, part: list[int], title: str | None) -> RichTable:
    """Some columns of a sheet beside all its labels."""
    shown = RichTable(title=title, title_justify="left")
    for label in sheet.labels:
        shown.add_column(label, no_wrap=True)
    for column in part:
        shown.add_column(_headline(sheet.columns[column]), justify="right")
    for labels, cells in sheet.rows:
        drawn = (Text(cells[i].text, style="bold" if cells[i].bold else "") for i in part)
        shown.add_row(*(Text(label) for label in labels), *drawn)
    return shown


def _headline(column: tuple[str, str]) -> str:
    """A column's task, metric and n, below one another."""
    return "\n".join(column).replace(" n=", "\nn=")


def _parts(sheet: Sheet, width: int) -> list[list[int]]:
    """The sheet's columns in parts that fit `width`; the columns of a task stay together."""
    border = 3  # a rule and two blanks beside each cell
    left = 1 + sum(
        border + max([len(name), *(len(labels[i]) for labels, _ in sheet.rows)])
        for i, name in enumerate(sheet.labels)
    )
    parts: list[list[int]] = [[]]
    free = width - left
    for task in dict.fromkeys(task for task, _ in sheet.columns):
        own = [i for i, column in enumerate(sheet.columns) if column[0] == task]
        lines = {i: [*_headline(sheet.columns[i]).split("\n")] for i in own}
        needed = sum(
            border + max(map(len, [*lines[i], *(cells[i].text for _, cells in sheet.rows)]))
            for i in own
        )
        if needed > free and parts[-1]:
            parts.append([])
            free = width - left
        parts[-1] += own
        free -= needed
    return parts


def plain(table: Table, *, intervals: bool = False) -> str:
    """The terminal table as text."""
    out = io.StringIO()
    console = Console(file=out, width=60 + 24 * max(1, len(table.columns)))
    to_console(table, console, intervals=intervals)
    return out.getvalue()


def markdown(table: Table, *, intervals: bool = False) -> str:
    """GitHub tables with the notes as a list."""
    lines: list[str] = []
    for sheet in sheets(table, intervals=intervals):
        headers = [*sheet.labels, *(f"{task} {metric}" for task, metric in sheet.columns)]
        rule = ["---"] * len(sheet.labels) + ["---:"] * len(sheet.columns)
        lines += [f"**{sheet.title}**", "", _bar(headers), _bar(rule)]
        lines += [_bar([*row, *_bolded(cells, "**{}**".format)]) for row, cells in sheet.rows]
        lines.append("")
    return "\n".join([*lines, *(f"- {note}" for note in table.notes), ""])


def _bar(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def latex(table: Table, *, intervals: bool = False) -> str:
    """A booktabs tabular a sheet, tasks over metrics; needs \\usepackage{booktabs}."""
    lines = [f"% {note}" for note in table.notes]
    for sheet in sheets(table, intervals=intervals):
        left = len(sheet.labels)
        tasks = list(dict.fromkeys(task for task, _ in sheet.columns))
        widths = [sum(task == name for task, _ in sheet.columns) for name in tasks]
        starts = [left + 1 + sum(widths[:i]) for i in range(len(tasks))]
        spans = [
            f"\\multicolumn{{{width}}}{{c}}{{{_tex(task)}}}"
            for task, width in zip(tasks, widths, strict=True)
        ]
        rules = [
            f"\\cmidrule(lr){{{start}-{start + width - 1}}}"
            for start, width in zip(starts, widths, strict=True)
        ]
        headers = [_tex(header) for header in (*sheet.labels, *(m for _, m in sheet.columns))]
        lines += [
            f"% {sheet.title}",
            f"\\begin{{tabular}}{{{'l' * left}{'r' * len(sheet.columns)}}}",
            "\\toprule",
            " & ".join([*[""] * left, *spans]) + " \\\\",
            "".join(rules),
            " & ".join(headers) + " \\\\",
            "\\midrule",
        ]
        for labels, cells in sheet.rows:
            texts = [*map(_tex, labels), *_bolded(cells, "\\textbf{{{}}}".format, _tex)]
            lines.append(" & ".join(texts) + " \\\\")
        lines += ["\\bottomrule", "\\end{tabular}", ""]
    return "\n".join(lines)


def long_csv(table: Table, *, intervals: bool = True) -> str:  # noqa: ARG001  always carried
    """One line a score, with its denominators and intervals."""
    return tables.frame(table).to_csv(index=False, float_format="%.6f", lineterminator="\n")


def _label_names(table: Table) -> tuple[str, ...]:
    """The LLM and the encoder are named in rows only where the table has several."""
    several_llms = len({row.llm for row in table.rows if row.llm}) > 1
    several_encoders = len({row.encoder for row in table.rows if row.encoder}) > 1
    return (
        "method",
        *(["LLM"] if several_llms else []),
        *(["encoder"] if several_encoders else []),
    )


def _labels(names: tuple[str, ...], row: Row) -> tuple[str, ...]:
    of = {"method": row.method, "LLM": row.llm or ABSENT, "encoder": row.encoder or ABSENT}
    return tuple(of[name] for name in names)


def _metric(column: Column) -> str:
    return f"{column.metric} {'↑' if column.higher_is_better else '↓'} n={column.n}"


def _score(row: Row, column: Column, intervals: bool) -> Cell:
    """Value, mark, interval, and what counted as wrong because it failed or wasn't readable."""
    entry = row.entries.get(column)
    if entry is None:
        return Cell(row.missing.get(column.task, ABSENT))
    marked = entry.to_reference is not None and entry.to_reference.excludes_zero
    parts = [f"{entry.interval.value:.3f}{'*' if marked else ''}"]
    if intervals:
        parts.append(f"[{entry.interval.low:.3f}, {entry.interval.high:.3f}]")
    counts = ((entry.n_failed, "f"), (entry.n_unparsed, "u"))
    parts += [f"{mark}{count}" for count, mark in counts if count]
    if column.task in row.missing:
        parts.append(f"({row.missing[column.task]})")
    return Cell(" ".join(parts), bold=entry.best)


def _gaps(entry: Entry | None, instruction_only: str | None, several_seeds: bool) -> list[Cell]:
    """What a row differs by in one column, as the sheet of differences shows it."""
    if entry is None:
        return [Cell(ABSENT)] * (2 + bool(instruction_only) + several_seeds)
    gaps = [
        entry.to_reference,
        *([entry.to_instruction_only] if instruction_only else []),
        entry.to_control,
    ]
    spread = f"{stdev(entry.by_seed):.3f}" if entry.seeds > 1 else ABSENT
    return [Cell(_difference(gap)) for gap in gaps] + [Cell(spread)] * several_seeds


def _difference(interval: Interval | None) -> str:
    if interval is None:
        return ABSENT
    mark = "*" if interval.excludes_zero else ""
    return f"{interval.value:+.3f}{mark} [{interval.low:+.3f}, {interval.high:+.3f}]"


def _bolded(
    cells: tuple[Cell, ...], bold: Callable[[str], str], escape: Callable[[str], str] = str
) -> list[str]:
    return [bold(escape(cell.text)) if cell.bold else escape(cell.text) for cell in cells]


def _tex(text: str) -> str:
    """Text with TeX's special characters escaped."""
    return text.translate(TEX)
