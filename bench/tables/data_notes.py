"""Notes on the data: what may mislead about it, and why no answer of a row could be read."""

import re
from collections.abc import Iterator, Sequence

from bench import store
from bench.grid import Cell, Grid
from bench.tables.model import Column, Row, RowKey
from tasks import Task
from tasks.common.labels import fold_label
from tasks.common.words import LAMP

SHOWN = 60
"""Characters of an answer."""
MOST = 0.5
"""Share of the answers that must show a cause."""


def write_data_notes(grid: Grid, columns: Sequence[Column], rows: Sequence[Row]) -> Iterator[str]:
    """The rule for words, the audit's warnings in the cells' records, and causes of unread answers.

    Raises StorageError where a stored file is damaged.
    """
    words = [cell.place for cell in grid.cells if cell.task.words != LAMP]
    if words:
        yield (
            f"words of {', '.join(dict.fromkeys(words))}: Unicode's, in lower case, in ROUGE, BLEU "
            "and BM25; Chinese characters, emoji and the like are words of their own"
        )
    done = [cell for cell in grid.cells if store.is_done(cell.folder)]
    found: dict[str, dict[str, None]] = {}
    for cell in done:
        warnings = store.read_record(cell.folder).warnings
        found.setdefault(cell.place, {}).update(dict.fromkeys(warnings))
    for place, texts in found.items():
        if texts:
            yield f"DATA of {place} may mislead: {'; '.join(texts)} (see `bench data verify`)"
    yield from _explain_unread(done, columns, rows)


def _explain_unread(
    done: Sequence[Cell], columns: Sequence[Column], rows: Sequence[Row]
) -> Iterator[str]:
    """Rows of which no answer is a label: it looks like a result, and is none."""
    firsts = list({column.task: column for column in reversed(columns)}.values())
    methods: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        for column in reversed(firsts):
            entry = row.entries.get(column)
            unread = entry is not None and entry.n_unparsed == entry.n * entry.seeds > 0
            if row.llm is None or not unread:
                continue
            cell = next(c for c in done if RowKey.of(c) == row.key and c.place == column.task)
            predictions = store.read_predictions(cell.folder / store.PREDICTIONS)
            texts = [prediction.text for prediction in predictions if prediction.text is not None]
            methods.setdefault((column.task, find_cause(texts, cell.task)), []).append(row.method)
    for (task, cause), names in methods.items():
        yield f"no answer on {task} is a label: {', '.join(dict.fromkeys(names))}; {cause}"


def find_cause(texts: Sequence[str], task: type[Task]) -> str:
    """The likely cause of answers none of which is a label, with one of them."""
    labels = [fold_label(label) for label in task.labels]
    word = re.compile(rf"(?<!\w)({'|'.join(map(re.escape, labels))})(?!\w)")
    causes = (
        (
            [text for text in texts if not text.strip()],
            "the answers are empty: the LLM ends at once (check chat_template), or never ends its "
            "reasoning (chat_template_options.enable_thinking = false, or a higher "
            "decoding.max_new_tokens)",
        ),
        (
            [text for text in texts if fold_label(text) in labels],
            "the answers differ from the labels in spelling: list `labels` as the LLM writes them",
        ),
        (
            [text for text in texts if word.search(" ".join(text.casefold().split()))],
            "a label stands in a longer text: ask for the label alone in the instruction, set "
            "chat_template = true if the LLM has one, or lower decoding.max_new_tokens",
        ),
    )
    for shown, cause in causes:
        if shown and len(shown) >= MOST * len(texts):
            return f"likely cause: {cause}. An answer: {_shorten(shown[0])}"
    return (
        "likely cause: the LLM does not follow the instruction; does it need chat_template = true, "
        f"and does it know the labels? An answer: {_shorten(next(iter(texts), ''))}"
    )


def _shorten(text: str) -> str:
    text = " ".join(text[: 10 * SHOWN].split())
    return repr(text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…")
