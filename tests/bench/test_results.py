"""`bench.load_results` and `bench.load_predictions`: stored results as pandas sees them."""

import subprocess
import sys

import pytest

import bench as library
from bench import store
from tasks.common.errors import StorageError
from tests.bench.support import GOLDS, REPOSITORY, USERS, edit_sealed

ANSWERS = {"d1": "5", "d2": "3", "d3": "good", "d4": None}  # golds 5, 4, 1, 2
ERRORS = [0, 1, 4, 3]


@pytest.fixture
def done(project):
    project.says("row", ANSWERS)
    project.says("right", GOLDS)
    project.suite("row", "right")
    project.run()
    return project


def without_golds(project):
    folder = project.root / "data" / "time" / "LaMP_3"
    (folder / "test").mkdir()
    questions = (folder / "dev" / "dev_questions.json").read_bytes()
    (folder / "test" / "test_questions.json").write_bytes(questions)


def test_a_line_holds_a_score_and_what_it_cost(done):
    scores = library.load_results(done.runs)
    assert len(scores) == 2 * 2
    line = scores[(scores.method == "row") & scores.primary].iloc[0]
    cell = done.cells()["row"]
    assert (line.suite, line.data, line.task, line.seed) == ("s", "tiny", "LaMP-3", 0)
    assert (line.metric, line.value, line.higher_is_better) == ("mae", sum(ERRORS) / 4, False)
    assert (line.n, line.n_failed, line.n_unparsed) == (4, 1, 1)
    assert (line.key, line.folder) == (cell.key, str(cell.folder))
    record = store.read_record(cell.folder)
    assert line.seconds == record.seconds.load + record.seconds.fit + record.seconds.predict
    assert (line.prompt_tokens, line.trainable_shared, line.bytes_per_user) == (0, 0, 0)
    assert list(scores[scores.method == "right"].value) == [0, 0]
    assert scores[["llm", "encoder"]].isna().all().all()


def test_lines_of_one_method_under_several_settings_can_be_told_apart(project):
    project.suite("bm25")
    for overrides in [
        [],
        ["methods.bm25.k=1"],
        ["max_input_tokens=99"],
        ["evaluate_limit=2"],
    ]:
        project.run(*overrides)
    scores = library.load_results(project.runs)
    scores = scores[scores.primary]
    settings = scores[["max_input_tokens", "config", "n"]]
    assert len(scores) == 4
    assert not settings.duplicated().any()
    assert scores.key.is_unique
    assert sorted(settings.max_input_tokens) == [99, 256, 256, 256]
    assert sum('"k":1' in text for text in settings.config) == 1


def test_the_loaders_are_listed():
    assert {"load_results", "load_predictions"} <= set(dir(library))


def test_a_line_holds_a_prediction_and_its_score_in_each_metric(done):
    answers = library.load_predictions(done.runs)
    assert len(answers) == 2 * len(GOLDS)
    own = answers[answers.method == "row"]
    assert list(own.id) == list(GOLDS)
    assert list(own.user_id) == list(USERS.values())
    assert list(own.text[:3]) == ["5", "3", "good"]
    assert own.text.isna().tolist() == [False, False, False, True]
    assert list(own.mae) == ERRORS
    assert list(own.rmse) == [error**2 for error in ERRORS]
    assert "gold" not in " ".join(answers.columns)


def test_corpus_metrics_have_no_value_for_an_example(done):
    """LaMP-2 has accuracy, whose rows hold one number, and F1, whose rows hold two."""
    folder = done.cells()["row"].folder

    def add_f1(scores):
        scores["metrics"]["f1"] = scores["metrics"]["mae"] | {"metric": "f1", "rows": [[0, 1]] * 4}

    edit_sealed(folder / store.SCORES, add_f1)
    assert "f1" in set(library.load_results(done.runs).metric)
    assert "f1" not in library.load_predictions(done.runs).columns


def test_the_default_folder_is_that_of_a_fresh_project(done, monkeypatch, tmp_path):
    (tmp_path / "results").mkdir()
    done.runs.rename(tmp_path / "results" / "runs")
    monkeypatch.chdir(tmp_path)
    assert len(library.load_results()) == 4
    assert len(library.load_predictions(suite="s")) == 8


def test_one_suite_can_be_asked_for(done):
    done.suite("right", name="other")
    done.run(suite="other")
    assert set(library.load_results(done.runs).suite) == {"s", "other"}
    assert set(library.load_results(done.runs, suite="other").suite) == {"other"}
    assert set(library.load_predictions(done.runs, suite="other").method) == {"right"}
    with pytest.raises(StorageError, match=r"no results of suite 'othr'.*Did you mean 'other'"):
        library.load_results(done.runs, suite="othr")


def test_a_set_without_golds_has_predictions_and_no_scores(project):
    without_golds(project)
    project.says("row", ANSWERS)
    project.suite("row", more='evaluate = "test"')
    project.run()
    scores = library.load_results(project.runs)
    assert len(scores) == 0
    assert "value" in scores.columns
    answers = library.load_predictions(project.runs)
    assert list(answers.id) == list(GOLDS)
    assert answers.user_id.isna().all()


def test_a_folder_that_is_not_there_is_named(tmp_path):
    for load in (library.load_results, library.load_predictions):
        with pytest.raises(StorageError, match=r"runs: there is no such folder.*store\.runs"):
            load(tmp_path / "runs")


def test_unfinished_and_failed_cells_are_passed_over(project):
    project.probe("broken", "Fails", file=project.root / "no")
    project.says("row", {})
    project.suite("broken", "row")
    project.run()
    (project.runs / "s" / "LaMP-3" / "row" / ".0-other.part").mkdir()
    assert set(library.load_results(project.runs).method) == {"row"}


@pytest.mark.parametrize("name", [store.RECORD, store.SCORES, store.PREDICTIONS])
@pytest.mark.parametrize("damage", ["shape", "folder", "nested"])
def test_a_damaged_file_is_named(done, name, damage):
    path = done.cells()["row"].folder / name
    if damage == "folder":
        path.unlink()
        path.mkdir()
    else:
        path.write_text("{}" if damage == "shape" else "[" * 100_000)
    with pytest.raises(StorageError) as error:
        library.load_predictions(done.runs)
    assert str(error.value).startswith(f"{path}: ")


def test_missing_scores_are_not_taken_for_a_set_without_golds(done, bench):
    path = done.cells()["row"].folder / store.SCORES
    path.unlink()
    with pytest.raises(StorageError, match=r"scores.json: is missing. Run `bench score`"):
        library.load_results(done.runs)
    assert bench("table").code == 2
    assert bench("score").code == 0
    assert len(library.load_results(done.runs)) == 4


def test_predictions_without_their_end_are_refused(done):
    path = done.cells()["row"].folder / store.PREDICTIONS
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:3]))
    with pytest.raises(StorageError, match=r"predictions.jsonl: is damaged: its checksum differs"):
        library.load_predictions(done.runs)


FAST = """
import sys
import bench
assert "pandas" not in sys.modules
scores = bench.load_results(sys.argv[1])
assert len(scores) == 4, scores
heavy = {"torch", "transformers", "sentence_transformers"} & set(sys.modules)
assert not heavy, heavy
"""


def test_importing_bench_loads_no_pandas_and_loading_results_no_torch(done):
    command = [sys.executable, "-c", FAST, str(done.runs)]
    ended = subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 0, ended.stderr


def test_an_unknown_name_of_the_package_is_an_attribute_error():
    with pytest.raises(AttributeError, match="load_result'"):
        _ = library.load_result


def test_a_key_of_a_later_version_is_kept(done):
    folder = done.cells()["row"].folder
    record = store.read_record(folder).model_dump(mode="json")
    edit_sealed(folder / store.RECORD, lambda stored: stored.update(host="a"))
    assert store.read_record(folder).model_dump(mode="json") == record | {"host": "a"}
