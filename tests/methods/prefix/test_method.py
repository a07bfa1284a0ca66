"""What all prefix methods share: text side, histories used, training, resuming, storage."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from bench.conformance import check
from bench.conformance.tiny_runtime import tiny_runtimes
from methods.embedding_to_prefix import EmbeddingToPrefix
from methods.models.language_model import LanguageModel
from methods.pplug import PPlug, PPlugConfig
from methods.prefix.training import leave_some_out
from methods.prompt.method import PromptMethod
from tasks import TASKS
from tasks.common.errors import ConfigError, DataError, ModelError
from tasks.data.loading import load_dataset
from tasks.sample.writer import write_sample
from tests.methods.helpers import behavior, build, example, split
from tests.methods.plugs import EXAMPLES, GOLDS, TRAIN, encoder, float64, mlp, pplug, tiny_llm

PROJECT = Path(__file__).parents[3]
KILLED = {
    "epochs": 2, "batch_size": 2, "micro_batch_size": 2, "learning_rate": 1e-2,
    "checkpoint_minutes": 1e-9,
}  # fmt: skip
WORKER = f"""
import sys, time
from pathlib import Path
import torch
from tasks.common.progress import Progress
from tests.methods.plugs import TRAIN, pplug

class OnOutcome(Progress):
    def start(self, what, total):
        self.steps = 0 if what == "training" else -1000  # texts that are encoded
    def advance(self, steps=1):
        self.steps += steps
        print(self.steps, flush=True)
        if self.steps == 7:
            time.sleep(60)

torch.set_num_threads(1)
method = pplug(Path(sys.argv[1]), training={KILLED!r}, augment=4)
method.runtime.progress = OnOutcome()
method.fit(TRAIN, TRAIN)
"""


class Picky(PromptMethod):
    """Can't answer one of the examples."""

    name = "picky"

    def prompt(self, example):
        if example.id == "3":
            raise DataError("no prompt for it", id="3", hint="Ask another")
        return example.input


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


def ids(method, asked):
    (used,) = method.select_history([asked])
    return [b.id for b in used.history]


def test_an_empty_history_is_answered_and_noted(tmp_path):
    answers = pplug(tmp_path).predict(EXAMPLES)
    assert [answer.note for answer in answers] == [
        None if e.history else "empty history" for e in EXAMPLES
    ]
    assert all(isinstance(answer.text, str) for answer in answers)


def test_too_long_a_history_keeps_its_newest_in_order(tmp_path):
    method = pplug(tmp_path, max_history=2)
    dated = [behavior("a", date="2021-01-01"), behavior("b"), behavior("c", date="2020-12-31")]
    assert ids(method, example("q", history=dated)) == ["a", "c"]
    assert ids(method, example("q", history=[behavior(id) for id in "abcd"])) == ["c", "d"]
    assert ids(method, example("q", history=[behavior("a")])) == ["a"]
    notes = method.fit(TRAIN, None).notes
    assert (notes["empty_histories"], notes["cut_histories"]) == (1, 4)
    answers = Counter(answer.note for answer in method.predict(EXAMPLES))
    assert answers == {"empty history": 1, "history cut to its newest behaviours": 4, None: 2}


def test_the_nearest_behaviours_stay_in_order_of_time(tmp_path):
    texts = ["tea", "war in winter", "tea and bread", "ink"]
    asked = example("q", "tea", [behavior(str(i), text) for i, text in enumerate(texts)])
    method = pplug(tmp_path, history_top_k=2)
    store = method.runtime.embeddings
    cosines = store.get(texts, side="document") @ store.get(["tea"], side="query")[0]
    assert ids(method, asked) == [str(i) for i in sorted((-cosines).argsort()[:2])]


def test_augmentation_leaves_out_some_and_keeps_the_whole(tmp_path):
    method = pplug(tmp_path, augment=40)
    data = method._training_data(TRAIN, augment=40)
    rows = {e.id: 41 if len(e.history) > 2 else 1 for e in EXAMPLES}
    assert data.ids == [id for id, count in rows.items() for _ in range(count)]
    assert len(data.lengths) == len(data.ids)
    for asked in EXAMPLES:
        n = len(asked.history)
        if n <= 2:
            continue
        copies = [leave_some_out(asked, method.runtime.seeds, 0, copy) for copy in range(41)]
        assert copies[0] == asked
        whole = [b.id for b in asked.history]
        kept = [[b.id for b in copy.history] for copy in copies[1:]]
        assert all(items == [id for id in whole if id in items] for items in kept)
        # int(n·U(0, .5)) + 1 left out
        assert {n - len(items) for items in kept} == set(range(1, int(n * 0.4999) + 2))
        assert len({tuple(items) for items in kept}) > 2
        later = [leave_some_out(asked, method.runtime.seeds, 1, copy) for copy in range(1, 41)]
        assert later != copies[1:]


def test_the_first_epochs_read_plain_inputs_if_asked_to(tmp_path, monkeypatch):
    method = pplug(tmp_path, text="recency", text_options={"k": 2}, plain_epochs=1)
    read = []
    loss = method.runtime.llm.loss
    monkeypatch.setattr(
        method.runtime.llm,
        "loss",
        lambda prompts, *a, **k: read.append(prompts) or loss(prompts, *a, **k),
    )
    data = method._training_data(TRAIN, augment=0, plain_epochs=method.config.plain_epochs)
    for epoch in (0, 1):
        data.nll(range(len(EXAMPLES)), epoch)
    plain, personal = read
    assert plain == [example.input for example in EXAMPLES]
    assert personal == [prompt.text for prompt in method.text_side.prompts(EXAMPLES)] != plain
    watched = method._training_data(TRAIN, augment=0)  # a dev loss is that of what is predicted
    watched.nll(range(len(EXAMPLES)), 0)
    assert read[-1] == personal


def test_some_epochs_must_read_the_text():
    with pytest.raises(ValidationError, match="leaves none of the 2 epochs"):
        PPlugConfig(text="recency", plain_epochs=2, training={"epochs": 2})


def test_training_reads_the_copies_that_are_seeded_by_example_epoch_and_number(tmp_path):
    seen = []
    for _ in range(2):
        method = pplug(tmp_path, augment=3)
        inner = method.prefix
        sizes = []
        method.prefix = lambda batch, inner=inner, sizes=sizes: (
            sizes.append([len(e.history) for e in batch.examples]),
            inner(batch),
        )[1]
        data = method._training_data(TRAIN, augment=3)
        for epoch in (0, 1):
            data.nll(range(len(data.ids)), epoch)
        seen.append(sizes)
    assert seen[0] == seen[1]
    assert seen[0][0] != seen[0][1]
    assert seen[0][0][0] == 3
    assert all(size < 3 for size in seen[0][0][1:4])


def test_the_text_side_is_any_prompt_method(tmp_path):
    shared = {"frozen": tiny_llm(), "text": "bm25", "text_options": {"k": 1}}
    method = pplug(tmp_path, **shared)
    method.runtime.max_input_tokens = 200
    asked = example("q", "river", EXAMPLES[3].history, input="what of the river")
    (answer,) = method.predict([asked])
    assert answer.behaviors == tuple(b.id for b in asked.history if "river" in b.text)
    assert answer.prompt_tokens > len(shared["frozen"].tokens.encode([asked.input], 200)[0].ids)


def test_a_text_side_that_writes_no_prompts_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="'majority-label' is not a prompt method"):
        pplug(tmp_path, text="majority-label").predict(EXAMPLES)
    with pytest.raises(ConfigError, match="'bm25'"):
        pplug(tmp_path, text="bm52").predict(EXAMPLES)


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("bm52", {}, "unknown method 'bm52'. Did you mean 'bm25'"),
        ("majority-label", {}, "'majority-label' is not a prompt method"),
        ("bm25", {"kk": 1}, "text_options of 'bm25' `kk`: unknown option. Did you mean 'k'"),
        ("bm25", {"k": 0}, "text_options of 'bm25' `k`: Input should be greater than 0"),
    ],
)
def test_a_wrong_text_side_is_told_when_options_are_read(text, options, message):
    with pytest.raises(ConfigError, match=message):
        PPlug.Config(text=text, text_options=options)


def test_an_example_without_a_prompt_is_neither_learned_nor_answered(tmp_path):
    method = pplug(tmp_path, text=f"{__name__}:Picky")
    report = method.fit(TRAIN, None)
    assert report.examples == 2 * 6
    answers = method.predict(EXAMPLES)
    assert [answer.id for answer in answers if answer.text is None] == ["3"]
    assert "no prompt for it" in answers[3].error
    others = method.predict(EXAMPLES[:3] + EXAMPLES[4:])
    assert [a.text for a in others] == [a.text for a in answers if a.id != "3"]


def test_a_loss_that_is_not_finite_stops_with_step_and_ids(tmp_path):
    training = {"epochs": 4, "batch_size": 7, "learning_rate": 1e30, "warmup_share": 0}
    with pytest.raises(ModelError, match=r"at step 2, in the batch with ids") as caught:
        pplug(tmp_path, training=training).fit(TRAIN, None)
    assert set(GOLDS) == set(caught.value.what.split("ids ")[1].split(", "))


def test_killed_in_the_middle_of_an_epoch_training_ends_with_the_same_bits(tmp_path):
    whole = pplug(tmp_path / "whole", training=KILLED, augment=4)
    curve = whole.fit(TRAIN, TRAIN).curve
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, tmp_path / "killed"],
        stdout=subprocess.PIPE, cwd=PROJECT, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    for line in worker.stdout:
        if line == "7\n":
            worker.send_signal(signal.SIGKILL)
    assert worker.wait() == -signal.SIGKILL
    worker.stdout.close()
    (saved,) = (tmp_path / "killed" / "scratch" / "training").glob("step-*")
    assert saved.name == "step-000000007"  # of 12 in the first epoch: 23 rows by twos
    resumed = pplug(tmp_path / "killed", training=KILLED, augment=4)
    report = resumed.fit(TRAIN, TRAIN)
    assert (report.steps, report.curve) == (24, curve)
    weights = whole.plug.state_dict()
    for name, value in resumed.plug.state_dict().items():
        assert torch.equal(value, weights[name]), name


def test_a_checkpoint_of_other_data_or_another_encoder_is_refused(tmp_path):
    training = KILLED | {"max_steps": 2}
    pplug(tmp_path, training=training).fit(TRAIN, None)
    pplug(tmp_path, training=training | {"checkpoint_minutes": 5}).fit(TRAIN, None)
    other = dataclasses.replace(TRAIN, fingerprint="other bytes")
    with pytest.raises(ModelError, match="can't be resumed"):
        pplug(tmp_path, training=training).fit(other, None)
    method = pplug(tmp_path, training=training)
    method.runtime.open_encoder = lambda: encoder(tmp_path / "other", seed=1)
    with pytest.raises(ModelError, match="can't be resumed"):
        method.fit(TRAIN, None)


@pytest.fixture
def saved(tmp_path):
    method = pplug(tmp_path)
    with torch.no_grad():
        for weight in method.plug.parameters():
            weight.mul_(2)
    method.save(tmp_path / "plug")
    return method


def named(weights, name):
    plain = tiny_llm()
    return LanguageModel(plain.model, plain.tokenizer, plain.config, weights, name=name)


def test_loaded_it_answers_as_it_did(saved, tmp_path):
    loaded = pplug(tmp_path)
    loaded.load(tmp_path / "plug")
    state = saved.plug.state_dict()
    assert all(torch.equal(w, state[name]) for name, w in loaded.plug.state_dict().items())
    assert loaded.predict(EXAMPLES) == saved.predict(EXAMPLES)
    assert not loaded.plug.training


def test_a_plug_of_another_llm_is_refused_by_name(saved, tmp_path):
    other = pplug(tmp_path, frozen=named("0ther", "big-t5"))
    with pytest.raises(ModelError, match=r"the LLM in memory \(in memory\), not big-t5 \(0ther\)"):
        other.load(tmp_path / "plug")


def test_a_plug_of_another_encoder_method_or_version_is_refused_by_name(
    saved, tmp_path, monkeypatch
):
    other = pplug(tmp_path)
    other.runtime.open_encoder = lambda: encoder(tmp_path / "another", seed=1)
    with pytest.raises(ModelError, match=r"the encoder .*/encoder \(\w+\), not .*/another \(\w+\)"):
        other.load(tmp_path / "plug")
    with pytest.raises(ModelError, match="the method pplug, not embedding-to-prefix"):
        pplug(tmp_path, EmbeddingToPrefix).load(tmp_path / "plug")
    monkeypatch.setattr(PPlug, "version", 2)
    with pytest.raises(ModelError, match="the method version 1, not 2"):
        pplug(tmp_path).load(tmp_path / "plug")


@pytest.mark.parametrize("options", [{"n_tokens": 2}, {"instruction": False}])
def test_a_plug_of_another_variant_is_refused(saved, tmp_path, options):
    with pytest.raises(ModelError, match=r"plug\.safetensors: the plug's weights don't fit"):
        pplug(tmp_path, **options).load(tmp_path / "plug")


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("plug.json", None, "holds no readable plug"),
        ("plug.json", b"{", "holds no readable plug"),
        ("plug.json", b"\xff\xfe", "holds no readable plug"),
        ("plug.json", b"[1]", "is not the description of a plug"),
        ("plug.json", b"{}", "is not the description of a plug"),
        ("plug.safetensors", None, "missing or damaged"),
        ("plug.safetensors", b"", "missing or damaged"),
        ("plug.safetensors", b"\x08\0\0\0\0\0\0\0{}      ", "don't fit"),
    ],
)
def test_a_damaged_plug_is_refused(saved, tmp_path, file, content, message):
    path = tmp_path / "plug" / file
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(ModelError, match=message):
        pplug(tmp_path).load(tmp_path / "plug")


def test_half_a_weights_file_is_refused(saved, tmp_path):
    path = tmp_path / "plug" / "plug.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelError, match="missing or damaged"):
        pplug(tmp_path).load(tmp_path / "plug")


def test_a_changed_value_in_the_weights_is_found(saved, tmp_path):
    path = tmp_path / "plug" / "plug.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    opened = pplug(tmp_path)
    before = {name: w.clone() for name, w in opened.plug.state_dict().items()}
    with pytest.raises(ModelError, match="are damaged: their digest differs"):
        opened.load(tmp_path / "plug")
    assert all(torch.equal(w, before[name]) for name, w in opened.plug.state_dict().items())


def test_the_description_says_what_the_plug_fits(saved, tmp_path):
    about = json.loads((tmp_path / "plug" / "plug.json").read_text())
    assert about["method"] == "pplug"
    assert about["task"] == "LaMP-3"
    fits = about["trained_for"]
    assert fits["LLM"] == {"name": "in memory", "identity": "in memory"}
    assert fits["encoder"]["identity"] == saved.runtime.encoder.identity
    assert about["config"] == saved.config.model_dump(mode="json")


def test_embedding_to_prefix_is_one_mlp_over_the_mean_vector(tmp_path):
    with float64():
        method = pplug(tmp_path, EmbeddingToPrefix, frozen=tiny_llm("llama", double=True))
        weights = method.plug.state_dict()
    with torch.no_grad():
        found = method.prefix(method._batch(method._prepare(EXAMPLES)))
    norms = method.runtime.llm.model.get_input_embeddings().weight.norm(dim=1)
    for asked, tokens in zip(EXAMPLES, found, strict=True):
        texts = [b.text for b in asked.history]
        hs = torch.from_numpy(method.runtime.embeddings.get(texts, side="document")).double()
        mean = hs.sum(0) / max(1, len(texts))
        by_hand = mlp(weights, "projector", mean) * norms.mean()
        torch.testing.assert_close(tokens, by_hand[None], rtol=1e-9, atol=1e-9)


def test_a_rich_variant_conforms(tmp_path):
    write_sample(tmp_path / "data", users=3, train=8, dev=6, test=1)
    task = TASKS.get("LaMP-3")()
    sets = {s: load_dataset(task, tmp_path / "data", split="time", set=s) for s in ("train", "dev")}
    options = {
        "text": "dense", "text_options": {"k": 1}, "n_tokens": 2, "time_decay": 0.5,
        "augment": 2, "labels_in_history": True, "max_history": 3,
        "training": {"batch_size": 4, "epochs": 1},
    }  # fmt: skip
    make = tiny_runtimes(task, tmp_path / "models")
    results = check("pplug", options, task=task, make_runtime=make, **sets)
    assert not [f"{r.name}: {r.detail}" for r in results if not r.passed]
    assert [r.name for r in results if r.skipped] == ["seeds"]


def test_no_training_pair_is_lost(tmp_path):
    data = pplug(tmp_path)._training_data(split(GOLDS, examples=EXAMPLES), augment=0)
    assert data.ids == list(GOLDS)


def test_build_is_seeded(tmp_path):
    first, again = (pplug(tmp_path).plug.state_dict() for _ in range(2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    other = build(
        PPlug, tmp_path, task="LaMP-4", llm=tiny_llm(), encoder=encoder(tmp_path / "encoder")
    ).plug.state_dict()
    assert not torch.equal(first["instruction.embedding"], other["instruction.embedding"])
