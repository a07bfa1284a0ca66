"""Methods that are trained on several of a suite's tasks: keys, shared fits, and what is refused."""

import pytest

from bench import store
from bench.cell import State, make_runtime
from bench.changes import explain_left
from bench.data import Data
from bench.models import Models
from tasks.common.errors import ConfigError, DataError
from tasks.common.progress import Progress
from tasks.lamp import LaMP2
from tests.tasks.support import write_set

ROWS = ("pplug", "pplug-all", "pplug-others")


PLANTS = """
[tasks.plants]
kind = "classification"
file = "plants.csv"
input = "plant"
output = "bed"
time = "day"
"""


def movie(id, text, user):
    profile = [{"id": f"{user}{n}", "description": f"Film {n}.", "tag": "action"} for n in range(3)]
    return {"id": id, "input": f"{LaMP2.instruction} {text}", "profile": profile, "user_id": user}


def write_movies(root, text="A film.", tags=("action", "comedy")):
    folder = root / "data" / "time" / "LaMP_2" / "new"
    for set in ("train", "dev"):
        asked = [movie(f"{set}{n}", text, "abc"[n]) for n in range(3)]
        golds = {f"{set}{n}": tags[n % 2] for n in range(3)}
        write_set(folder / set, asked, golds, set=set, task="LaMP_2")
    return folder


@pytest.fixture
def project(project):
    write_movies(project.root)
    project.add("""
[methods.pplug.training]
epochs = 1
batch_size = 2
learning_rate = 1e-2

[methods.pplug-all]
method = "pplug"
train_on = "all"

[methods.pplug-others]
method = "pplug"
train_on = "others"
""")
    project.suite(*ROWS, more="controls = true\n")
    return project


BOTH = 'tasks=["LaMP-3", "LaMP-2"]'


def cells(project, *overrides, **only):
    """(row, task) → its cell."""
    plan = project.plan(BOTH, *overrides, **only)
    return {(cell.variant, cell.task.name): cell for cell in plan.cells}


def changed(before, after, part):
    return {
        place for place in before if getattr(before[place], part) != getattr(after[place], part)
    }


def test_a_key_names_the_other_tasks_only_where_they_are_learned_from(project):
    found = cells(project)
    named = {place: cell.depends_on.to_json().get("trained_on") for place, cell in found.items()}
    assert named["pplug", "LaMP-3"] is None
    assert list(named["pplug-others", "LaMP-3"]) == ["LaMP-2"]
    assert list(named["pplug-all", "LaMP-3"]) == ["LaMP-2", "LaMP-3"]
    assert named["pplug-all@shuffled-user", "LaMP-2"] == named["pplug-all", "LaMP-3"]
    alone = project.cells("methods=['pplug']")["pplug"]
    assert alone.key == found["pplug", "LaMP-3"].key


def test_tasks_share_one_fit_of_all_and_the_fit_on_others_is_of_those_alone(project):
    before = cells(project)
    fits = {place: cell.fit_key for place, cell in before.items()}
    assert fits["pplug-all", "LaMP-2"] == fits["pplug-all", "LaMP-3"]
    assert fits["pplug-all@shuffled-user", "LaMP-2"] == fits["pplug-all", "LaMP-2"]
    assert fits["pplug-others", "LaMP-2"] != fits["pplug-others", "LaMP-3"]
    write_movies(project.root, "Another film.")
    after = cells(project)
    own = {(row, "LaMP-2") for row, _ in before}
    everywhere = {(row, "LaMP-3") for row, _ in before if row.partition("@")[0] != "pplug"}
    assert changed(before, after, "key") == own | everywhere
    of_fit = changed(before, after, "fit_key")
    assert ("pplug-others", "LaMP-3") in of_fit
    assert ("pplug-others", "LaMP-2") not in of_fit
    assert ("pplug", "LaMP-3") not in of_fit


def test_the_order_and_choice_of_tasks_to_run_changes_no_key(project):
    before = cells(project)
    assert not changed(before, cells(project, 'tasks=["LaMP-2", "LaMP-3"]'), "key")
    some = cells(project, tasks=["LaMP-3"])
    assert {place: cell.key for place, cell in some.items()} == {
        place: before[place].key for place in some
    }


def test_a_run_fits_all_tasks_once_and_scores_each_task(project):
    outcomes = project.run(BOTH, "controls=false")
    assert {outcome.state for outcome in outcomes} == {State.DONE}
    found = cells(project, "controls=false")
    plugs = {
        place: (cell.folder / store.MODEL / "plug.safetensors").read_bytes()
        for place, cell in found.items()
    }
    assert plugs["pplug-all", "LaMP-2"] == plugs["pplug-all", "LaMP-3"]
    assert len(set(plugs.values())) == 5
    fits = [path for path in (project.root / "cache" / "fitted").iterdir() if path.is_dir()]
    assert len(fits) == 5  # of two tasks alone, of both, and of each without the other
    record = store.read_record(found["pplug-others", "LaMP-3"].folder)
    assert (record.task, record.fit.examples) == ("LaMP-3", 3)
    write_movies(project.root, tags=("classic", "action"))
    later = {place: cell.folder for place, cell in cells(project, "controls=false").items()}
    reasons = explain_left(project.plan(BOTH, "controls=false"))
    assert reasons[later["pplug-others", "LaMP-3"].name.partition("-")[2]] == (
        "what it is trained on (LaMP-2.train)"
    )
    assert {outcome.state for outcome in project.run(BOTH, "controls=false")} == {
        State.DONE,
        State.KEPT,
    }
    same = later["pplug-others", "LaMP-2"] / store.MODEL / "plug.safetensors"
    assert same.read_bytes() == plugs["pplug-others", "LaMP-2"]  # whatever LaMP-2's own tags are
    other = later["pplug-others", "LaMP-3"] / store.MODEL / "plug.safetensors"
    assert other.read_bytes() != plugs["pplug-others", "LaMP-3"]


def test_a_suite_of_one_task_is_refused_before_anything_runs(project):
    with pytest.raises(ConfigError, match=r'train_on = "all" needs several tasks.*LaMP-3 alone'):
        project.plan()


def test_missing_data_of_another_task_is_said_to_be_needed(project):
    (project.root / "data" / "time" / "LaMP_2" / "new" / "train" / "train_questions.json").unlink()
    with pytest.raises(DataError, match=r"\(pplug-all is trained on LaMP-2 too\)") as caught:
        project.plan(BOTH, tasks=["LaMP-3"])
    assert "LaMP_2" in str(caught.value)


def test_another_tasks_train_set_without_golds_is_named(project):
    for folder in (write_movies(project.root), project.root / "data" / "time" / "LaMP_3"):
        (folder / "test").mkdir()
        questions = (folder / "dev" / "dev_questions.json").read_bytes()
        (folder / "test" / "test_questions.json").write_bytes(questions)
    blind = 'train="test"'
    settings, found = project.load(BOTH, blind), cells(project, blind)
    data = Data(settings, settings.suites["s"], "tiny")
    runtime = make_runtime(
        found["pplug-others", "LaMP-3"], settings, data, Models(settings, Progress()), Progress()
    )
    with pytest.raises(DataError, match="the test set of LaMP-2 has no golds to learn from"):
        runtime.group.load("LaMP-2")


def test_a_declared_task_and_registered_ones_learn_from_each_other(project):
    """Each brings its own data; of two sources of LaMP-3, it isn't clear which plants mean."""
    lines = [f"g{g},2024-0{m}-01,herb {m},{m % 2}" for g in range(3) for m in range(1, 5)]
    (project.root / "plants.csv").write_text("\n".join(["user,day,plant,bed", *lines]) + "\n")
    project.add(PLANTS)
    only = {"methods": ["pplug-others"]}
    plan = project.plan('tasks=["LaMP-3", "plants"]', **only)
    learned = {c.task.name: [key.name for key in c.depends_on.trained_on] for c in plan.cells}
    assert learned == {"LaMP-3": ["plants"], "plants": ["LaMP-3"]}
    project.add('[data.second]\nroot = "data"\n')
    with pytest.raises(ConfigError, match="LaMP-3 too, whose data could be tiny or second"):
        project.plan('tasks=["LaMP-3", "plants"]', 'data=["tiny", "second"]', **only)
