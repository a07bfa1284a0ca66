"""The shipped models follow the recipe and reach what the card claims."""

import json
from dataclasses import asdict

import pytest

from methods.embedded.card import WORLD_SEED, Measurement
from methods.embedded.curriculum import draw_held_out
from methods.embedded.train import Recipe, check_size, folder_size
from methods.models.config import EncoderConfig
from methods.models.encoder import Encoder
from methods.models.loading import resolve
from methods.models.opening import load_llm
from tasks.example import Prediction
from tasks.metrics import create
from tasks.mini.grammars import GRAMMARS
from tasks.mini.world import WorldConfig, write_world

LLM, ENCODER = (f"package:methods/embedded/weights/{name}" for name in ("llm", "encoder"))
ASKED = 20
"""Number of held-out pairs per task."""
USERS = 100
"""Number of users in the world, each with one query per task."""


@pytest.fixture(scope="module")
def llm(tmp_path_factory):
    cache = tmp_path_factory.mktemp("digests")
    return load_llm(LLM, cache=cache, decoding={"num_beams": 1})


def test_they_were_trained_by_the_current_recipe():
    folder = resolve(LLM, None).parent
    recipe = json.loads((folder / "recipe.json").read_text())
    assert recipe == json.loads(json.dumps(asdict(Recipe())))
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    ends = {point["training"]: point["step"] for point in log}
    assert ends == {lesson["name"]: lesson["steps"] for lesson in recipe["lessons"]} | {
        "encoder": recipe["encoder_steps"]
    }


def test_they_are_small_and_safe():
    folders = [resolve(name, None) for name in (LLM, ENCODER)]
    check_size(folders)
    for folder in folders:
        suffixes = {file.suffix for file in folder.rglob("*") if file.is_file()}
        assert suffixes <= {".json", ".safetensors", ".md", ""}, suffixes
        assert folder_size(folder) > 1_000_000


@pytest.mark.parametrize("grammar", GRAMMARS, ids=lambda grammar: grammar.task.name)
def test_stated_preferences_are_followed(llm, grammar):
    """Scores exceed those of the same prompts without the statement."""
    task = grammar.task
    pairs = draw_held_out("stated", ASKED)[task.name]
    golds = {str(row): output for row, (_, output) in enumerate(pairs)}

    def score(prompts):
        answers = llm.generate(prompts, max_new_tokens=task.max_new_tokens, max_input_tokens=256)
        predictions = [Prediction(str(row), answer.text) for row, answer in enumerate(answers)]
        return task.score(predictions, golds)[task.metrics[0]]

    start = "For an" if task.name == "LaMP-1" else task.instruction
    bare = [input[input.index(start) :] for input, _ in pairs]
    stated, plain = score([input for input, _ in pairs]), score(bare)
    better = stated.value - plain.value
    assert (better if stated.higher_is_better else -better) > 0.1, (stated.value, plain.value)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    write_world(folder, WorldConfig(seed=WORLD_SEED, users=USERS), splits=["time"])
    return folder


@pytest.mark.parametrize("grammar", GRAMMARS, ids=lambda grammar: grammar.task.name)
def test_demonstrations_help_and_without_them_the_llm_knows_no_user(llm, world, grammar):
    """On a world that no training has seen: zero-shot as the best user-blind answer, and BM25's
    items worth more than chance between so few users.
    """
    measured = Measurement(grammar.task, world, llm, encoder=None)
    zero, blind, shown = (measured.score(m) for m in ("zero-shot", "user-blind", "bm25"))
    sign = 1 if create(grammar.task.metrics[0], grammar.task).higher_is_better else -1
    assert sign * (shown - zero) > 0.04, (zero, shown)
    assert abs(zero - blind) < 0.08 * (4 if sign < 0 else 1), (zero, blind)


def test_the_encoder_brings_topics_together(tmp_path):
    encoder = Encoder.open(EncoderConfig(model=ENCODER), cache=tmp_path)
    texts = ["the hidden coral near the reef", "a busy whale in the lagoon", "the loan at the bank"]
    first, second, third = encoder.encode(texts, side="document")
    assert first @ second > first @ third
