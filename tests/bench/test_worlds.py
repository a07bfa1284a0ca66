"""Generated data in the cache: found again as it was made, or made again."""

import shutil

import pytest

from bench.data import Data
from tasks import TASKS

LAMP3 = TASKS.get("LaMP-3")
WORLDS = {"mini": "{ users = 3, train_queries = 1 }", "sample": "0"}


@pytest.mark.parametrize("kind", WORLDS)
@pytest.mark.parametrize("damage", ["a digit", "the end", "a file"])
def test_a_damaged_world_is_made_again_so_that_its_key_stays(project, kind, damage):
    project.add(f"[data.world]\n{kind} = {WORLDS[kind]}\n")
    project.suite("mean-score", more="")

    def open_data():
        settings = project.load("data=world")
        return Data(settings, settings.suites["s"], "world")

    first = open_data()
    key = first.fingerprint(LAMP3, "dev")
    golds = next(first.root.rglob("time/LaMP_3/dev/dev_outputs.json"))
    whole = golds.read_text()
    if damage == "a file":
        golds.unlink()
    else:
        changed = whole.replace('"output": "', '"output": "1', 1)
        golds.write_text(changed if damage == "a digit" else whole[:-20])
    with pytest.warns(UserWarning, match="and made again"):
        assert open_data().fingerprint(LAMP3, "dev") == key
    assert golds.read_text() == whole


def test_a_world_of_an_earlier_version_is_made_again(project):
    project.add(f"[data.world]\nmini = {WORLDS['mini']}\n")
    project.suite("mean-score")
    settings = project.load("data=world")
    root = Data(settings, settings.suites["s"], "world").root
    shutil.rmtree(root)
    root.mkdir()
    assert Data(settings, settings.suites["s"], "world").fingerprint(LAMP3, "dev")
