"""One cell: what is recorded, what is shared, and how a failure stays within it."""

import hashlib
import json
import shutil
import threading

import pytest

from bench import prediction, store
from bench.cell import make_runtime
from bench.data import Data
from bench.models import Models
from methods.cache.folders import hold_lock
from tasks import TASKS
from tasks.common.errors import StorageError
from tasks.common.progress import Progress
from tests.bench.support import GOLDS

LAMP3 = TASKS.get("LaMP-3")


def states(outcomes):
    return {outcome.cell.variant: outcome.state for outcome in outcomes}


def record(project, row, *overrides):
    return json.loads((project.cells(*overrides)[row].folder / store.RECORD).read_text())


def seal(lines):
    return f"{hashlib.sha256(lines).hexdigest()}\n".encode()


def texts(project, row, *overrides):
    path = project.cells(*overrides)[row].folder / store.PREDICTIONS
    return {answer.id: answer.text for answer in store.read_predictions(path)}


def test_a_failing_method_stays_within_its_cell(project):
    project.probe("broken", "Fails", file=project.root / "there")
    project.says("sound", {})
    project.suite("broken", "sound")
    outcomes = project.run()
    assert states(outcomes) == {"broken": "failed", "sound": "done"}
    assert "RuntimeError: the file is not there" in outcomes[0].reason
    cell = outcomes[0].cell
    text = store.error_file(cell.folder).read_text()
    assert "Traceback" in text
    assert "RuntimeError: the file is not there" in text
    assert not cell.folder.exists()
    assert texts(project, "sound") == dict.fromkeys(GOLDS, "5")


@pytest.mark.parametrize(
    ("names", "damage"),
    [
        ("*.safetensors", lambda data: data[:-9]),
        ("*.safetensors", lambda data: data[:-400] + bytes(400)),
        ("*.safetensors", lambda data: data.replace(b"weight", b"weighs", 1)),
        ("fit.json", lambda data: data[:-9]),
        ("fit.json", lambda data: data.replace(b'"seconds"', b'"second"')),
        ("fit.json", lambda data: data.replace(b'"steps"', b'"step"')),
        ("fit.json", lambda data: data.replace(b'"examples": 8', b'"examples": 9')),
    ],
)
def test_a_damaged_fit_is_set_aside_and_fitted_again(project, names, damage):
    project.suite("pplug")
    (first,) = project.run()
    fits = project.root / "cache" / "fitted"
    (fit,) = [path for path in fits.iterdir() if path.is_dir()]
    for file in fit.rglob(names):
        file.write_bytes(damage(file.read_bytes()))
    before = texts(project, "pplug")
    shutil.rmtree(first.cell.folder)
    with pytest.warns(UserWarning, match="fitted again"):
        (again,) = project.run()
    assert again.state == "done"
    assert texts(project, "pplug") == before
    assert fit.with_name(f"{fit.name}.damaged").is_dir()


CHUNK = b"".join(b'{"id": "d%d", "text": "4"}\n' % n for n in range(1, 5))
CHUNKS = {
    "torn": (CHUNK[:30], "predictions-0.jsonl: is damaged"),
    "a line is torn": (CHUNK[:30] + b"\n" + seal(CHUNK), "0.jsonl: line 2 is damaged"),
    "its checksum is missing": (CHUNK, "predictions-0.jsonl: is damaged"),
    "two lines are missing": (CHUNK[:52] + seal(CHUNK), "predictions-0.jsonl: is damaged"),
    "of other examples": (CHUNK[:52] + seal(CHUNK[:52]), "answers other examples"),
}


@pytest.mark.parametrize(("chunk", "problem"), CHUNKS.values(), ids=CHUNKS)
def test_damaged_predictions_of_a_killed_cell_are_computed_again(project, chunk, problem):
    project.says("sound", {})
    project.suite("sound")
    (cell,) = project.cells().values()
    settings = project.load()
    data = Data(settings, settings.suites["s"], cell.source)
    runtime = make_runtime(cell, settings, data, Models(settings, Progress()), Progress())
    runtime.scratch.mkdir(parents=True)
    (runtime.scratch / "predictions-0.jsonl").write_bytes(chunk)
    with pytest.warns(UserWarning, match=f"{problem}.*predicted again"):
        (outcome,) = project.run()
    assert outcome.state == "done"
    assert texts(project, "sound") == dict.fromkeys(GOLDS, "5")


def test_a_later_success_removes_the_error(project):
    project.probe("broken", "Fails", file=project.root / "there")
    project.suite("broken")
    (failed,) = project.run()
    assert store.error_file(failed.cell.folder).is_file()
    (project.root / "there").touch()
    (done,) = project.run()
    assert (done.state, done.cell.key) == ("done", failed.cell.key)
    assert not store.error_file(done.cell.folder).exists()
    assert [path.name for path in done.cell.folder.parent.iterdir()] == [done.cell.folder.name]


def test_a_users_mistake_is_recorded_without_a_traceback(project):
    project.suite("bm25@shuffled-user")
    (outcome,) = project.run("train_limit=1")  # one user: nobody to take a history from
    assert outcome.state == "failed"
    assert "needs a user other than 'ann'" in outcome.reason
    assert store.error_file(outcome.cell.folder).read_text() == outcome.reason + "\n"


@pytest.mark.parametrize(("probe", "got"), [("WrongOrder", 4), ("LosesOne", 3)])
def test_wrong_ids_are_refused(project, probe, got):
    project.probe("wrong", probe)
    project.suite("wrong")
    (outcome,) = project.run()
    assert outcome.state == "failed"
    assert f"expected 4 ids, got {got}" in outcome.reason
    assert not outcome.cell.folder.exists()


def test_a_done_cell_does_no_work(project):
    project.says("sound", {})
    project.suite("sound", "zero-shot")
    assert states(project.run()) == {"sound": "done", "zero-shot": "done"}
    before = project.times()
    assert states(project.run()) == {"sound": "kept", "zero-shot": "kept"}
    assert project.times() == before


def test_the_record_says_what_was_run_and_on_what(project):
    project.suite("bm25", "mean-score")
    project.run()
    folder = project.cells()["bm25"].folder
    digest = hashlib.sha256((folder / store.PREDICTIONS).read_bytes()).hexdigest()
    found = record(project, "bm25")
    cell = project.cells()["bm25"]
    assert found["identity"] == cell.depends_on.to_json()
    assert found["key"] == cell.key
    names = ("suite", "task", "method", "llm", "encoder", "seed")
    assert [found[name] for name in names] == ["s", "LaMP-3", "bm25", "t5", None, 0]
    assert list(found["seconds"]) == ["load", "fit", "predict"]
    assert found["peak_bytes"]["resident"] > 10**7
    assert found["models"]["llm"]["batch_size"] == 8
    assert found["models"]["encoder"] is None
    assert found["environment"]["packages"]["torch"]
    assert set(found["environment"]) >= {"python", "gpus", "commit", "dirty", "threads", "cpus"}
    assert found["totals"]["n"] == 4
    assert found["totals"]["failed"] == 0
    assert found["files"] == {store.PREDICTIONS: digest}
    assert record(project, "mean-score")["totals"]["at_token_limit"] is None
    assert found["totals"]["behaviors_mean"] == (3 + 2 + 1 + 0) / 4
    assert record(project, "mean-score")["models"] == {"llm": None, "encoder": None}
    assert record(project, "mean-score")["totals"]["notes"] == {"empty history: global majority": 1}


def test_the_record_describes_the_encoder_and_what_it_encoded(project):
    """Four distinct behaviours of six, and four queries; a second suite finds them stored."""
    project.suite("dense")
    project.suite("dense", name="again")
    project.run()
    project.run(suite="again")
    first = record(project, "dense")["models"]["encoder"]
    assert first["encoded"] == 4 + 4
    assert (first["dtype"], first["device"]) == ("float32", "cpu")
    (folder,) = (project.runs / "again" / "LaMP-3" / "dense").iterdir()
    again = json.loads((folder / store.RECORD).read_text())["models"]["encoder"]
    assert again == first | {"encoded": 0}


def test_failed_predictions_are_counted(project):
    project.says("half", {"d1": None, "d3": None})
    project.suite("half")
    project.run()
    assert record(project, "half")["totals"]["failed"] == 2


def test_a_method_and_its_control_are_fitted_once(project):
    log = project.root / "fits"
    project.probe("learns", "Learns", file=log)
    project.suite("learns", more="controls = true")
    outcomes = project.run()
    assert states(outcomes) == {"learns": "done", "learns@shuffled-user": "done"}
    assert log.read_text().splitlines() == ["8 None"]
    own, other = texts(project, "learns"), texts(project, "learns@shuffled-user", "controls=true")
    assert own["d1"] == "learned ann0 ann1 ann2"
    assert own["d4"] == other["d4"] == "learned "
    assert other["d1"].startswith("learned ")
    assert "ann" not in other["d1"]
    assert "ben" not in other["d3"]


def test_cells_of_one_key_in_two_suites_do_not_share_unfinished_work(project):
    places = []
    for name in ("one", "two"):
        project.suite("zero-shot", name=name)
        (cell,) = project.plan(suite=name).cells
        settings = project.load(suite=name)
        data = Data(settings, settings.suite(name)[1], cell.source)
        models = Models(settings, Progress())
        places.append((cell.key, make_runtime(cell, settings, data, models, Progress()).scratch))
    (key, first), (same_key, second) = places
    assert key == same_key
    assert first != second


def test_a_fit_that_another_process_computes_is_waited_for(project, tmp_path):
    project.probe("learns", "Learns", file=tmp_path / "fits")
    project.suite("learns")
    (cell,) = project.plan().cells
    cache = project.load().store.cache
    run = threading.Thread(target=project.run)
    with hold_lock(cache / "fitted" / f".{cell.fit_key}.fit.lock"):
        run.start()
        run.join(3)
        assert run.is_alive()
        assert not (tmp_path / "fits").exists()
    run.join()
    assert store.is_done(cell.folder)


def test_the_model_is_stored_with_the_method_that_was_trained(project):
    project.probe("learns", "Learns", file=project.root / "fits")
    project.suite("learns", more="controls = true")
    cells = {outcome.cell.variant: outcome.cell for outcome in project.run()}
    assert json.loads((cells["learns"].folder / "model" / "learned.json").read_text()) == {
        "learned": "learned"
    }
    assert not (cells["learns@shuffled-user"].folder / "model").exists()
    for row in ("learns", "learns@shuffled-user"):
        fit = record(project, row)["fit"]
        assert (fit["steps"], fit["examples"], fit["curve"]) == (3, 8, [{"step": 3, "loss": 0.5}])


def test_a_killed_cell_resumes_after_its_last_saved_chunk(project, monkeypatch):
    """Killed after the first chunk of two, it asks the method for the second alone."""
    monkeypatch.setattr(prediction, "CHUNK", 3)
    asked = []
    project.says("sound", {"d2": "3"})
    project.suite("sound")
    from tests.bench.probes import Says

    whole = Says.predict

    def dies(self, examples):
        asked.append([example.id for example in examples])
        if len(asked) == 2:
            raise KeyboardInterrupt
        return whole(self, examples)

    monkeypatch.setattr(Says, "predict", dies)
    with pytest.raises(KeyboardInterrupt):
        project.run()
    assert not list(project.runs.rglob(store.PREDICTIONS))
    assert states(project.run()) == {"sound": "done"}
    assert asked == [["d1", "d2", "d3"], ["d4"], ["d4"]]
    assert texts(project, "sound") == {"d1": "5", "d2": "3", "d3": "5", "d4": "5"}
    assert not list((project.root / "cache" / "scratch").iterdir())


def test_a_set_without_golds_is_exported_not_scored(project):
    folder = project.root / "data" / "time" / "LaMP_3"
    dev = folder / "dev" / "dev_questions.json"
    (folder / "test").mkdir()
    (folder / "test" / "test_questions.json").write_bytes(dev.read_bytes())
    project.says("half", {"d1": None, "d2": "4"})
    project.suite("half", more='evaluate = "test"')
    (outcome,) = project.run()
    assert outcome.state == "done"
    assert not (outcome.cell.folder / store.SCORES).exists()
    assert json.loads((outcome.cell.folder / store.SUBMISSION).read_text()) == {
        "task": "LaMP_3",
        "golds": [
            {"id": "d1", "output": ""},
            {"id": "d2", "output": "4"},
            {"id": "d3", "output": "5"},
            {"id": "d4", "output": "5"},
        ],
    }


def data(project, *overrides):
    settings = project.load(*overrides)
    suite = settings.suites["s"]
    return Data(settings, suite, suite.data[0])


def test_no_method_monitors_the_golds_that_it_is_scored_on(project):
    project.suite("zero-shot", more="validation_share = 0.25")
    train, watched = data(project).training(LAMP3)
    assert (train.set, watched.set) == ("train", "train")
    assert (len(train), len(watched)) == (6, 2)
    ids = {example.id for split in (train, watched) for example in split.examples}
    assert ids == {f"t{n}" for n in range(8)}
    assert set(train.golds) == {example.id for example in train.examples}
    assert set(watched.golds) == {example.id for example in watched.examples}


def test_the_official_dev_set_is_monitored_when_test_is_scored(project):
    project.suite("zero-shot", more='evaluate = "test"')
    train, watched = data(project).training(LAMP3)
    assert (len(train), watched.set, len(watched)) == (8, "dev", 4)


def test_too_few_train_queries_leave_nothing_to_monitor(project):
    project.suite("zero-shot")
    train, watched = data(project).training(LAMP3)
    assert (len(train), watched) == (8, None)


def test_a_train_set_without_golds_is_named(project):
    folder = project.root / "data" / "time" / "LaMP_3"
    (folder / "test").mkdir()
    questions = (folder / "dev" / "dev_questions.json").read_bytes()
    (folder / "test" / "test_questions.json").write_bytes(questions)
    project.suite("global-majority", more='train = "test"')
    (outcome,) = project.run()
    assert outcome.state == "failed"
    assert "the test set of LaMP-3 has no golds to learn from" in outcome.reason
    assert "Traceback" not in store.error_file(outcome.cell.folder).read_text()


def test_an_unwritable_folder_is_reported_before_anything_is_computed(project):
    project.says("never", {"d1": "4"})
    project.suite("never")
    project.runs.write_text("a file, no folder")
    with pytest.raises(StorageError, match=r"runs: the cell can't be stored"):
        project.run()
    assert not (project.root / "cache" / "scratch").exists()
