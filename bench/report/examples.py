"""The example browser's data: what was asked, the history, and what every row answered."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench import store
from bench.data import Data
from bench.grid import Cell, Grid
from bench.report.answers import RowAnswers, read_answers
from bench.report.charts.canvas import key_of
from bench.report.histories import choose_items
from bench.report.model import Series
from bench.report.selection import Candidate, select
from bench.settings import Settings
from bench.tables.model import RowKey
from tasks import Example, Task
from tasks.metrics import create
from tasks.scoring import Scoring

MOST = 200
"""Examples of a task, unless a reader asks for more or fewer."""
LONGEST_INPUT, LONGEST_ANSWER = 2000, 600
"""Characters that are shown of a text."""


@dataclass(frozen=True)
class _Place:
    """One task of one source: the evaluated examples and the rows that answered them."""

    name: str
    task: type[Task]
    examples: Mapping[str, Example]
    golds: Mapping[str, str]
    rows: Mapping[RowKey, RowAnswers]
    metric: str | None
    values: Mapping[RowKey, list[float]]

    @property
    def ids(self) -> tuple[str, ...]:
        return next(iter(self.rows.values())).scores[0].ids


def collect_examples(
    settings: Settings, grid: Grid, series: Mapping[RowKey, Series], most: int = MOST
) -> dict[str, Any]:
    """What the page's script reads: rows, and for every task the chosen examples.

    Raises:
        DataError: the data that the suite was run on is not there.
        StorageError: a stored file is damaged.
    """
    rows = {key: place for place, key in enumerate(series)}
    about = [{"name": s.name, "series": key_of(s), "bound": s.bound} for s in series.values()]
    places = _read_places(settings, grid, series)
    return {
        "rows": about,
        "tasks": [_describe_place(place, rows, series, most) for place in places],
    }


def _read_places(settings: Settings, grid: Grid, series: Mapping[RowKey, Series]) -> list[_Place]:
    _, suite = settings.suite(grid.suite)
    datas = {source: Data(settings, suite, source) for source in suite.data}
    cells: dict[str, dict[RowKey, list[Cell]]] = {}
    for cell in grid.cells:
        if RowKey.of(cell) in series and store.is_done(cell.folder):
            cells.setdefault(cell.place, {}).setdefault(RowKey.of(cell), []).append(cell)
    places = []
    for name, of_place in cells.items():
        answers = {key: read_answers(of_row) for key, of_row in of_place.items()}
        rows = {key: row for key, row in answers.items() if row.scores}
        if rows:
            first = next(iter(of_place.values()))[0]
            dataset = datas[first.source].load(first.task, suite.evaluate)
            found = {key: row.values() for key, row in rows.items()}
            values = {key: pair[1] for key, pair in found.items() if pair is not None}
            metric = next((pair[0] for pair in found.values() if pair is not None), None)
            examples = {example.id: example for example in dataset.examples}
            places.append(
                _Place(name, first.task, examples, dataset.golds or {}, rows, metric, values)
            )
    return places


def _describe_place(
    place: _Place, rows: Mapping[RowKey, int], series: Mapping[RowKey, Series], most: int
) -> dict[str, Any]:
    scorer = create(place.metric or place.task.metrics[0], place.task(), Scoring())
    competing = [values for key, values in place.values.items() if not series[key].bound]
    candidates = []
    for n, id in enumerate(place.ids):
        given = [of_seed[id].text for row in place.rows.values() for of_seed in row.predictions]
        failed = any(text is None or scorer.unparsed(text) for text in given)
        scores = [values[n] for values in competing]
        spread = max(scores, default=0) - min(scores, default=0)
        candidates.append(Candidate(n, failed, spread))
    chosen = select(candidates, most, place.name)
    return {
        "name": place.name,
        "metric": place.metric,
        "higher": scorer.higher_is_better,
        "how": chosen.how,
        "examples": [
            _describe_example(place, n, rows, scorer.unparsed)
            | {"failed": candidates[n].failed, "spread": round(candidates[n].spread, 4)}
            for n in chosen.places
            if place.ids[n] in place.examples
        ],
    }


def _describe_example(
    place: _Place, n: int, rows: Mapping[RowKey, int], unparsed: Any
) -> dict[str, Any]:
    id = place.ids[n]
    example = place.examples[id]
    answers = []
    for key, row in place.rows.items():
        values = place.values.get(key)
        first = row.predictions[0][id]
        answers.append(
            {
                "row": rows[key],
                "score": None if values is None else round(values[n], 4),
                "texts": [
                    _describe_answer(answer.text, count, answer.error, unparsed)
                    for answer, count in row.distinct(id)
                ],
                "cut": [first.query_tokens - first.query_tokens_cut, first.query_tokens]
                if first.query_tokens_cut
                else None,
                "note": first.note,
            }
        )
    return {
        "id": id,
        "user": example.user_id,
        "input": clip(example.input, LONGEST_INPUT),
        "gold": clip(place.golds.get(id, ""), LONGEST_ANSWER),
        "length": len(example.history),
        "history": choose_items(example, id, {rows[key]: row for key, row in place.rows.items()}),
        "answers": answers,
    }


def _describe_answer(
    text: str | None, seeds: int, error: str | None, unparsed: Any
) -> dict[str, Any]:
    if text is None:
        return {"text": clip(error or "", LONGEST_ANSWER), "seeds": seeds, "state": "failed"}
    state = "unreadable" if unparsed(text) else ""
    return {"text": clip(text, LONGEST_ANSWER), "seeds": seeds, "state": state}


def clip(text: str, longest: int) -> str:
    """The text, or its beginning with an ellipsis."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
