"""The golds of the evaluated set come to the rows that say they see them, and to no other."""

from bench.cell import make_runtime
from bench.data import Data
from bench.models import Models
from bench.store import read_predictions, read_record
from tasks.common.progress import Progress
from tests.bench.support import GOLDS


def test_only_a_bound_is_handed_the_golds(project):
    rows = ["pool-oracle", "pool-oracle@shuffled-user", "rspg-post", "oracle", "bm25", "pplug"]
    project.suite(*rows)
    settings = project.load()
    suite = settings.suite("s")[1]
    data = Data(settings, suite, suite.data[0])
    models = Models(settings, Progress())
    golds = {
        cell.variant: make_runtime(cell, settings, data, models, Progress()).golds
        for cell in project.plan().cells
    }
    bounds = {"pool-oracle": GOLDS, "pool-oracle@shuffled-user": GOLDS}
    assert golds == {row: bounds.get(row, {}) for row in rows}


def test_a_pool_is_a_row_and_counts_whom_it_takes(project, bench):
    project.suite("pool-oracle", "rspg-pre", "rspg-post", "pag", more="training = { epochs = 1 }")
    assert bench("run").code == 0
    for cell in project.plan().cells:
        answers = read_predictions(cell.folder / "predictions.jsonl")
        assert [answer.id for answer in answers] == list(GOLDS)
        notes = read_record(cell.folder).totals.notes
        if cell.variant != "pag":
            assert sum(n for note, n in notes.items() if note.startswith("member ")) == len(GOLDS)
    stored = list((project.root / "cache" / "pool" / "predictions").glob("*.jsonl"))
    assert len(stored) == 6  # one per member, shared by the three methods
