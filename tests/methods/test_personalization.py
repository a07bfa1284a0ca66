"""Where only the history decides the answer, PPlug learns it and its controls don't."""

import json
import math
import shutil
from collections import Counter

import pytest
import torch
from rich.console import Console

from bench import store
from bench.engine import run_grid
from bench.grid import plan
from bench.settings import load_settings
from methods.models.encoder import Encoder
from tasks.data.loading import load_dataset
from tasks.lamp import LaMP3
from tests.methods import marked_users
from tests.methods.marked_users import CHANCE, SEEN, UNSEEN

TRAINING = "{ learning_rate = 3e-3, epochs = 16, batch_size = 16 }"
ONE_STEP = "training = { max_steps = 1, batch_size = 8 }"
CONFIG = f"""
default_suite = "personal"

[data.marked]
root = "data"

[llms.t5]
model = "LLM"
device = "cpu"
decoding = {{ num_beams = 1, max_new_tokens = 3 }}

[encoders.words]
model = "ENCODER"
device = "cpu"

[methods.pplug]
method = "pplug"
training = {TRAINING}

[methods.instruction-only]
method = "pplug"
user = false
training = {TRAINING}

[methods.step]
method = "pplug"
{ONE_STEP}

[methods.labels]
method = "pplug"
labels_in_history = true
{ONE_STEP}

[methods.nearest]
method = "pplug"
history_top_k = 2
encoder_trainable = false
augment = 2
{ONE_STEP}

[methods.pplug-dense]
method = "pplug"
attention = false
text = "dense"
{ONE_STEP}

[methods.e2p]
method = "embedding-to-prefix"
{ONE_STEP}

[suites.personal]
data = "marked"
tasks = ["LaMP-3"]
methods = ["zero-shot", "pplug", "instruction-only", "pplug@shuffled-user"]
llms = ["t5"]
encoders = ["words"]
validation_share = 0.0

[suites.calls]
data = "marked"
tasks = ["LaMP-3"]
methods = ["dense", "step", "labels", "nearest", "pplug-dense", "e2p", "step@random-profile"]
controls = true
llms = ["t5"]
encoders = ["words"]
train_limit = 20
evaluate_limit = 20
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("personal")
    marked_users.write_data(folder / "data")
    marked_users.write_encoder(folder / "encoder")
    assert marked_users.write_llm(folder / "llm") < 0.05
    config = CONFIG.replace("ENCODER", str(folder / "encoder")).replace("LLM", str(folder / "llm"))
    (folder / "bench.toml").write_text(config)
    return folder


def run(folder, suite):
    settings = load_settings(folder / "bench.toml")
    grid = plan(settings, suite)
    outcomes = run_grid(settings, grid, Console(quiet=True), lambda outcome: None)
    assert [(o.state, o.reason) for o in outcomes] == [("done", "")] * len(grid.cells)
    return grid.cells


@pytest.fixture(scope="module")
def accuracy(folder):
    """(method, "seen" or "unseen" users) → (share of right answers, number of queries)."""
    outputs = folder / "data" / "time" / "LaMP_3" / "dev" / "dev_outputs.json"
    golds = {gold["id"]: gold["output"] for gold in json.loads(outputs.read_text())["golds"]}
    found = {}
    for cell in run(folder, "personal"):
        right = {"seen": [], "unseen": []}
        for answer in store.read_predictions(cell.folder / store.PREDICTIONS):
            right[answer.id.split("-")[0]].append(answer.text == golds[answer.id])
        for users, hits in right.items():
            found[cell.variant, users] = sum(hits) / len(hits), len(hits)
    return found


@pytest.mark.parametrize(("users", "number"), [("seen", SEEN), ("unseen", UNSEEN)])
def test_pplug_learns_what_only_the_history_shows(accuracy, users, number):
    share, n = accuracy["pplug", users]
    assert n == number
    assert share > 0.95


@pytest.mark.parametrize("users", ["seen", "unseen"])
@pytest.mark.parametrize("row", ["zero-shot", "instruction-only", "pplug@shuffled-user"])
def test_without_the_users_own_history_answers_are_at_chance(accuracy, row, users):
    """Chance is 1 of 5 scores, within three binomial standard deviations."""
    share, n = accuracy[row, users]
    assert abs(share - CHANCE) < 3 * math.sqrt(CHANCE * (1 - CHANCE) / n)


def test_a_grid_encodes_each_distinct_text_once(folder, monkeypatch):
    read = []
    encode = Encoder.encode

    def counted(self, texts, *, side):
        read.extend(self.text(text, side) for text in texts)
        return encode(self, texts, side=side)

    monkeypatch.setattr(Encoder, "encode", counted)
    shutil.rmtree(folder / "results", ignore_errors=True)
    cells = run(folder, "calls")
    # Two controls are named or added where the method reads the history.
    assert sum("@" in cell.variant for cell in cells) == 7
    examples = [
        example
        for name in ("train", "dev")
        for example in load_dataset(
            LaMP3(), folder / "data", split="time", set=name, limit=20
        ).examples
    ]
    items = [behavior for example in examples for behavior in example.history]
    expected = {example.query for example in examples}
    expected |= {item.text for item in items} | {f"{item.text} {item.response}" for item in items}
    assert Counter(read) == Counter(expected)
    read.clear()
    shutil.rmtree(folder / "results" / "runs")
    shutil.rmtree(folder / "results" / "cache" / "fitted")
    run(folder, "calls")
    assert read == []
