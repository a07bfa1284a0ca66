"""The example browser's data: what was asked, the history, and what every row answered."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.report.answers import RowAnswers
from bench.report.charts.canvas import key_of
from bench.report.histories import choose_items
from bench.report.model import Series
from bench.report.selection import Candidate, select
from bench.report.stored import Finished
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
    ids: tuple[str, ...]
    examples: Mapping[str, Example]
    golds: Mapping[str, str]
    rows: Mapping[RowKey, RowAnswers]

    def gold_text(self, id: str) -> str:
        """What a reader sees of an example's gold; "" where there is none."""
        return self.task().gold_text(self.golds[id]) if id in self.golds else ""

    @property
    def metric(self) -> str | None:
        """What single answers are scored by."""
        return next((row.metric for row in self.rows.values()), None)


def collect_examples(
    finished: Finished, series: Mapping[RowKey, Series], most: int = MOST
) -> dict[str, Any]:
    """What the page's script reads: rows, and for every task the chosen examples.

    Raises:
        DataError: the data that the suite was run on is not there.
        StorageError: a stored file is damaged.
    """
    rows = {key: place for place, key in enumerate(series)}
    about = [{"name": s.name, "series": key_of(s), "bound": s.bound} for s in series.values()]
    places, rules = _read_places(finished, series), finished.settings.scoring.rules
    return {
        "rows": about,
        "tasks": [_describe_place(place, rules, rows, series, most) for place in places],
    }


def _read_places(finished: Finished, series: Mapping[RowKey, Series]) -> list[_Place]:
    _, suite = finished.settings.suite(finished.grid.suite)
    places = []
    for name, stored in finished.rows.items():
        scored = {key: row for key, row in stored.items() if key in series and row.scores}
        if scored:
            first = next(iter(scored.values()))
            task = first.cell.task
            dataset = finished.datas[first.cell.source].load(task, suite.evaluate)
            examples = {example.id: example for example in dataset.examples}
            rows = {key: RowAnswers.of(row) for key, row in scored.items()}
            places.append(_Place(name, task, first.ids, examples, dataset.golds or {}, rows))
    return places


def _describe_place(
    place: _Place,
    rules: Scoring,
    rows: Mapping[RowKey, int],
    series: Mapping[RowKey, Series],
    most: int,
) -> dict[str, Any]:
    scorer = create(place.metric or place.task.metrics[0], place.task(), rules)
    competing = [row.values for key, row in place.rows.items() if not series[key].bound]
    candidates = []
    for n, id in enumerate(place.ids):
        given = [of_seed[id].text for row in place.rows.values() for of_seed in row.predictions]
        failed = any(text is None or scorer.unparsed(text) for text in given)
        scores = [values[n] for values in competing if values]
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
        first = row.predictions[0][id]
        answers.append(
            {
                "row": rows[key],
                "score": round(row.values[n], 4) if row.values else None,
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
        "gold": clip(place.gold_text(id), LONGEST_ANSWER),
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
