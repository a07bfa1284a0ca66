"""LLMs opened by config or, outside the harness, by folder."""

import json

import pytest

from bench.conformance.tiny_models import tiny_t5
from methods.models.config import LLMConfig
from methods.models.opening import load_llm, open_llm
from tasks import TASKS, Dataset, Example
from tasks.common.errors import ConfigError, ModelError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("llm")
    tiny_t5(folder / "t5")
    return folder


def open_folder(folder):
    return load_llm(str(folder), device="cpu")


def test_an_adapted_llm_can_be_opened_by_its_folder(folder, tmp_path):
    config = LLMConfig(
        model=str(folder / "t5"), device="cpu", adapt="full",
        adaptation={"max_steps": 1, "batch_size": 1},
    )  # fmt: skip
    task = TASKS.get("LaMP-3")()
    asked = Example("1", "u", f"{task.instruction} Fine.", "Fine.", "Fine.", ())
    train = Dataset("LaMP-3", "train", (asked,), {"1": "4"}, "f")
    made = open_llm(config, task=task, train=train, seed=0, cache=tmp_path)
    (place,) = (tmp_path / "adapted").glob("[!.]*")
    assert open_folder(place).weights == made.weights
    assert open_folder(folder / "t5").weights != made.weights
    (place / "adaptation.json").write_text("{}")
    with pytest.raises(ModelError, match=r"adaptation.json.*'weights'"):
        open_folder(place)


def test_no_llm_is_adapted_to_golds_that_are_no_answers(folder, tmp_path):
    config = LLMConfig(model=str(folder / "t5"), device="cpu", adapt="full")
    task = TASKS.get("LaMP-QA-art")()
    asked = Example("1", "u", f"{task.instruction} Why?", "Why?", "Why?", ())
    train = Dataset("LaMP-QA-art", "train", (asked,), {"1": "{}"}, "f")
    with pytest.raises(ConfigError, match="no LLM can learn from the golds of LaMP-QA-art"):
        open_llm(config, task=task, train=train, seed=0, cache=tmp_path)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"num_beams": 4}, "num_beams: .*Known options: .*decoding"),
        ({"adapt": "lora"}, "needs a train set"),
    ],
)
def test_invalid_options_are_named(folder, options, why):
    with pytest.raises(ConfigError, match=why):
        load_llm(str(folder / "t5"), **options)


def test_the_record_names_the_models_folder(folder, tmp_path):
    config, task = LLMConfig(model=str(folder / "t5"), device="cpu"), TASKS.get("LaMP-3")()
    llm = open_llm(config, task=task, train=None, seed=0, cache=tmp_path)
    assert llm.description["name"] == str(folder / "t5")
    assert llm.description["architecture"] == "T5ForConditionalGeneration"
    json.dumps(llm.description)
