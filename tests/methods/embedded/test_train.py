"""Tiny versions of both models are trained, resumed after a kill, loaded and evaluated."""

import json

import pytest
import torch
from safetensors.torch import load_file

from methods.embedded import llm
from methods.embedded.card import Measurement, summarize_log
from methods.embedded.curriculum import Lesson
from methods.embedded.train import Recipe, check_size, make
from methods.embedded.vocabulary import train_tokenizer
from methods.models.config import EncoderConfig, LLMConfig
from methods.models.encoder import Encoder
from methods.models.opening import load_llm, open_llm
from tasks.common.errors import ConfigError, DataError, StorageError
from tasks.lamp import LaMP2
from tasks.mini.world import WorldConfig, write_world

CPU = torch.device("cpu")
RECIPE = Recipe(
    lessons=(
        Lesson("stated", {"stated": 1}, 4, 1e-3, batch_size=6),
        Lesson("everything", {"everything": 1}, 2, 1e-3, batch_size=6, gathered=True),
    ),
    encoder_steps=3,
    encoder_batch=8,
    vocabulary_texts=300,
    shape=(("d_model", 16), ("d_ff", 16), ("layers", 1), ("decoder_layers", 1)),
    measure_every=2,
)


@pytest.fixture(autouse=True)
def _few_measured(monkeypatch):
    monkeypatch.setattr(llm, "MEASURED", 1)
    monkeypatch.setattr(llm, "LONGEST_ANSWER", 3)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("embedded")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(llm, "MEASURED", 1)
        patch.setattr(llm, "LONGEST_ANSWER", 3)
        make(out, RECIPE, CPU)
    return out


def test_gathered_words_of_a_group_resemble_each_other():
    words = train_tokenizer(0, texts=3000)
    model = llm.build_model(words, seed=0)

    def likeness(first, second):
        ids = [words(word, add_special_tokens=False)["input_ids"] for word in (first, second)]
        assert [len(word) for word in ids] == [1, 1]
        one, other = (model.get_input_embeddings().weight[id] for (id,) in ids)
        return torch.cosine_similarity(one, other, dim=0).item()

    pairs = [("coral", "whale"), ("axioms", "proofs"), ("coral", "loan"), ("axioms", "polls")]
    before = [likeness(*pair) for pair in pairs]
    llm.gather(model, words, seed=0)
    near, same_school, far, other_school = (likeness(*pair) for pair in pairs)
    assert max(before) < 0.35
    assert min(near, same_school) > 0.35 > max(far, other_school)


@pytest.mark.parametrize("killed_at", [2, 4])  # within the first lesson, and between the two
def test_a_resumed_training_gives_the_same_weights(made, tmp_path, monkeypatch, killed_at):
    taken = llm.compute_loss
    calls = []

    def killed(model, batch):
        if len(calls) == killed_at + 1:
            raise KeyboardInterrupt
        calls.append(batch)
        return taken(model, batch)

    monkeypatch.setattr(llm, "compute_loss", killed)
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path, RECIPE, CPU)
    assert not (tmp_path / "llm").exists()
    monkeypatch.setattr(llm, "compute_loss", taken)
    make(tmp_path, RECIPE, CPU)
    for name in ("llm", "encoder"):
        weights, whole = (load_file(out / name / "model.safetensors") for out in (tmp_path, made))
        assert weights.keys() == whole.keys()
        assert all(torch.equal(weights[key], whole[key]) for key in whole)


def test_finished_models_are_not_trained_again(made):
    before = (made / "log.jsonl").read_text()
    make(made, RECIPE, CPU)
    assert (made / "log.jsonl").read_text() == before
    trainings = [json.loads(line)["training"] for line in before.splitlines()]
    assert trainings == ["stated", "stated", "everything", "encoder", "encoder"]


def test_a_folder_of_another_recipe_is_refused(made):
    with pytest.raises(ConfigError, match=r"recipe\.json.*--out"):
        make(made, Recipe(**{**vars(RECIPE), "seed": 1}), CPU)


def test_both_load_by_their_names_in_bench_toml(made, tmp_path):
    opened = open_llm(
        LLMConfig(model=str(made / "llm"), device="cpu", decoding={"max_new_tokens": 3}),
        task=LaMP2(), train=None, seed=0, cache=tmp_path,
    )  # fmt: skip
    (answer,) = opened.generate(["i like comedy ."], max_new_tokens=3, max_input_tokens=64)
    assert answer.prompt_tokens == 5  # four words and the end-of-sequence token
    encoder = Encoder.open(EncoderConfig(model=str(made / "encoder"), device="cpu"), cache=tmp_path)
    vectors = encoder.encode(["the mayor opens the rose", "a", "a"], side="document")
    assert vectors.shape == (3, 96)
    assert (vectors**2).sum(1) == pytest.approx([1, 1, 1], abs=1e-5)
    assert vectors[1] == pytest.approx(vectors[2])
    assert vectors[0] @ vectors[1] < 0.999


def test_models_too_large_for_the_package_are_refused(made):
    check_size([made / "llm", made / "encoder"])
    with pytest.raises(StorageError, match="more than 10,000"):
        check_size([made / "llm", made / "encoder"], 10_000)


def test_the_card_measures_between_random_and_oracle(made, tmp_path):
    write_world(tmp_path, WorldConfig(seed=3, users=12, noise=0), tasks=["LaMP-2"], splits=["time"])
    opened = load_llm(
        str(made / "llm"), device="cpu", decoding={"max_new_tokens": 2, "num_beams": 1}
    )
    encoder = Encoder.open(EncoderConfig(model=str(made / "encoder"), device="cpu"), cache=tmp_path)
    row = Measurement(LaMP2(), tmp_path, opened, encoder).row(4)
    assert list(row) == [
        "random", "zero-shot", "user-blind", "bm25 k=1", "bm25 k=2", "bm25 k=4", "dense k=4",
        "oracle", "stated",
    ]  # fmt: skip
    assert row["oracle"] == 1
    assert row["user-blind"] < 1
    assert row["zero-shot"] < 0.5


def test_the_log_is_summarized(made, tmp_path):
    head, _, *rows = summarize_log(made / "log.jsonl")
    assert head.startswith("| training | steps | minutes |")
    assert [row.split(" | ")[0] for row in rows] == ["| stated", "| everything", "| encoder"]
    assert rows[0].split(" | ")[1] == "4"
    broken = tmp_path / "log.jsonl"
    broken.write_text('{"step": 1}\n')
    with pytest.raises(DataError, match="line 1"):
        list(summarize_log(broken))
