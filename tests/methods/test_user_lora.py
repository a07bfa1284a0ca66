"""One LoRA per user: each user's own adapter answers, from the user's own history."""

import dataclasses
import json

import pytest
import torch
from peft import PeftModel

from bench.conformance import check
from bench.conformance.tiny_runtime import tiny_runtimes
from methods.lora.lessons import as_queries
from methods.models.language_model import LanguageModel
from methods.user_lora import NO_LESSONS, UserLora
from methods.zero_shot import ZeroShot
from tasks import TASKS
from tasks.common.errors import ConfigError, DataError, ModelError
from tasks.data.loading import load_dataset
from tasks.sample.writer import write_sample
from tests.methods.helpers import behavior, build
from tests.methods.lora_users import ADAPTED, EXAMPLES, SHARP, TEXTS, TRAIN, build_method, make_user
from tests.methods.models.builders import llm


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def model():
    """In float64, so that the other rows of a batch can't change an answer by rounding."""
    return llm("t5", double=True, device="cpu", decoding={"num_beams": 2, "max_new_tokens": 4})


def test_each_user_is_answered_by_its_own_adapter(tmp_path, model):
    together = build_method(tmp_path / "a", model).predict(EXAMPLES)
    by_two = build_method(tmp_path / "b", model, users_at_once=2).predict(EXAMPLES[::-1])[::-1]
    alone = [build_method(tmp_path / e.id, model).predict([e])[0] for e in EXAMPLES[1:4]]
    assert together == by_two
    assert together[1:4] == alone
    plain = build(ZeroShot, tmp_path / "z", llm=model).predict(EXAMPLES)
    changed = [one.text != other.text for one, other in zip(together, plain, strict=True)]
    assert not changed[1]  # no history: the shared model
    assert sum(changed) >= 3
    assert [answer.note for answer in together] == [None, NO_LESSONS, None, None, None, None]


def test_only_the_measured_seconds_of_the_cost_depend_on_predictions(tmp_path, model):
    fitted = build_method(tmp_path, model, **ADAPTED)
    fitted.fit(TRAIN, None)
    before = fitted.cost()
    assert before.seconds_per_user == 0
    # A in [4, 16] and B in [16, 4] for q and v of 6 attentions, in float32
    assert (before.trainable_per_user, before.bytes_per_user) == (6 * 2 * 128, 4 * 6 * 2 * 128)
    fitted.predict(EXAMPLES)
    after = fitted.cost()
    assert after.seconds_per_user > 0
    assert dataclasses.replace(after, seconds_per_user=0.0) == before
    resumed = build_method(tmp_path, model, **ADAPTED)  # all predictions are already stored
    assert resumed.cost() == after


def test_lessons_depend_on_the_user_and_the_plain_llm(tmp_path, model, monkeypatch):
    """On the user, not the query; and they are written before the shared adapter is attached."""
    first, second = (dataclasses.replace(make_user(4, 4), id=id) for id in ("one", "two"))
    task = TASKS.get("LaMP-3")()
    assert as_queries(task, first) == as_queries(task, second)
    made = build_method(tmp_path, model, **ADAPTED)
    made.fit(TRAIN, None)
    inner, hooked = made._lessons, []

    def lessons(key, example):
        hooked.append(any(m._forward_hooks for m in model.model.modules()))
        return inner(key, example)

    monkeypatch.setattr(made, "_lessons", lessons)
    made.predict(EXAMPLES)
    assert hooked == 5 * [False]


def test_an_adapter_learns_the_users_answers(tmp_path, model):
    """A user who always gives 5 gets 5; one who always gives 1 gets 1."""

    def liking(score):
        items = [behavior(f"b{i}", text, score) for i, text in enumerate(TEXTS)]
        return dataclasses.replace(EXAMPLES[0], id=score, user_id=score, history=tuple(items))

    training = SHARP["training"] | {"epochs": 20, "learning_rate": 0.05, "batch_size": 4}
    lora = {"rank": 4, "targets": ["q", "v", "wo", "lm_head"]}
    answers = build_method(tmp_path, model, training=training, lora=lora).predict(
        [liking("1"), liking("5")]
    )
    assert [answer.text for answer in answers] == ["1", "5"]


def test_the_adapter_key_covers_what_changes_an_adapter(tmp_path, model):
    key = build_method(tmp_path, model).adapter_key
    wanted = key(EXAMPLES[0])
    assert len(wanted) == 64
    assert key(EXAMPLES[1]) is None
    assert key(dataclasses.replace(EXAMPLES[0], id="another query")) == wanted
    assert key(dataclasses.replace(EXAMPLES[0], user_id="x")) != wanted
    assert key(dataclasses.replace(EXAMPLES[0], history=EXAMPLES[0].history[1:])) != wanted
    same = {"users_at_once": 3, "text": "bm25"}
    assert build_method(tmp_path, model, **same).adapter_key(EXAMPLES[0]) == wanted
    for other in (
        {"lora": SHARP["lora"] | {"alpha": 4}}, {"training": SHARP["training"] | {"epochs": 4}},
        {"text": "bm25", "retrieval_in_training": 1}, ADAPTED, {"max_response_tokens": 5},
    ):  # fmt: skip
        assert build_method(tmp_path, model, **other).adapter_key(EXAMPLES[0]) != wanted


def test_another_decoding_reuses_adapters(tmp_path):
    def key(identity, weights="same", **options):
        read = llm("t5", device="cpu", **options)
        other = LanguageModel(read.model, read.tokenizer, read.config, identity, weights=weights)
        return build_method(tmp_path, other, **text).adapter_key(EXAMPLES[0])

    text = {}
    assert key("greedy", decoding={"num_beams": 1}) == key("beams", decoding={"num_beams": 4})
    assert key("greedy") != key("greedy", dtype="bfloat16") != key("greedy", weights="other")
    text = {"text": "bm25", "retrieval_in_training": 1}
    assert key("greedy") != key("beams")


def test_retrieval_in_training_shows_earlier_items(tmp_path, model):
    found = build_method(
        tmp_path, model, text="bm25", text_options={"k": 3}, retrieval_in_training=1
    )
    found.runtime.max_input_tokens = 300
    lessons = found._lessons("key", EXAMPLES[2])
    shown = [prompt.count("is the score for") for prompt in lessons.prompts]
    assert shown == [0, 1, 1, 1, 1]
    assert found.predict(EXAMPLES[2:3])[0].behaviors != ()
    plain = build_method(tmp_path, model, text="bm25")._lessons("key", EXAMPLES[2])
    assert not any("is the score for" in prompt for prompt in plain.prompts)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"text": "dense"}, "needs an encoder"),
        ({"text": "pplug"}, "not a prompt method"),
        ({"retrieval_in_training": 2}, "has none"),
        ({"training": {"early_stop_patience": 2}}, "a single user doesn't have"),
    ],
)
def test_inconsistent_options_are_refused(config, message):
    with pytest.raises(ConfigError, match=message):
        UserLora.Config(**config)


def test_the_task_adaptation_is_kept_below_the_users_adapters(tmp_path, model):
    fitted = build_method(tmp_path / "a", model, **ADAPTED)
    report = fitted.fit(TRAIN, None)
    assert (report.steps, report.notes["empty_histories"]) == (2 * 3, 1)
    assert report.notes["failed_prompts"] == 0
    shared = fitted.shared.weights(0)
    answers = fitted.predict(EXAMPLES)
    assert all(torch.equal(w, shared[n]) for n, w in fitted.shared.weights(0).items())
    fitted.save(tmp_path / "saved")
    loaded = build_method(tmp_path / "b", model, **ADAPTED)
    loaded.load(tmp_path / "saved")
    assert loaded.predict(EXAMPLES) == answers
    # 6 attentions, q, k and v, of rank 2
    assert loaded.cost().trainable_shared == 6 * 3 * 2 * 2 * 16
    other = build_method(tmp_path / "c", model, task_adaptation={"lora": {"rank": 3}})
    with pytest.raises(ModelError, match="rank 2, not 3"):
        other.load(tmp_path / "saved")


def test_methods_with_one_task_adaptation_share_its_fit():
    def fit(**config):
        return UserLora.fit_key(UserLora.Config(**config))

    assert fit() == fit(lora={"rank": 2}) == fit(text="bm25")
    assert fit(**ADAPTED) == fit(**ADAPTED, training={"epochs": 9}, users_at_once=2)
    assert (
        len(
            {
                json.dumps(key.to_json())
                for key in (fit(), fit(**ADAPTED), fit(**ADAPTED, text="bm25"))
            }
        )
        == 3
    )
    whole = UserLora.key(UserLora.Config())
    assert whole == UserLora.key(UserLora.Config(users_at_once=5))
    assert whole != UserLora.key(UserLora.Config(retrieval_in_training=1, text="bm25"))


@pytest.mark.parametrize("options", [{}, ADAPTED])
def test_an_exported_adapter_answers_the_same_in_plain_peft(tmp_path, model, options):
    found = build_method(tmp_path, model, **options)
    found.fit(TRAIN, None)
    wanted = found.predict(EXAMPLES)[2]
    found.export(EXAMPLES[2], tmp_path / "exported")
    fresh = llm("t5", double=True, device="cpu", decoding={"num_beams": 2, "max_new_tokens": 4})
    PeftModel.from_pretrained(fresh.model, tmp_path / "exported")
    (answer,) = fresh.generate([EXAMPLES[2].input], max_new_tokens=4, max_input_tokens=100)
    assert answer.text == wanted.text
    with pytest.raises(DataError, match="'user 1' has no history"):
        found.export(EXAMPLES[1], tmp_path / "none")


def test_user_lora_with_task_adaptation_passes_the_conformance_suite(tmp_path):
    task = TASKS.get("LaMP-2")()
    write_sample(tmp_path / "data", users=2, train=4, dev=3, test=1)
    sets = {
        set: load_dataset(task, tmp_path / "data", split="time", set=set)
        for set in ("train", "dev")
    }
    runtimes = tiny_runtimes(task, tmp_path / "models")
    options = {"task_adaptation": {"training": {"epochs": 1, "batch_size": 3}},
               "text": "bm25", "retrieval_in_training": 1}  # fmt: skip
    results = check("user-lora", options, task=task, make_runtime=runtimes, **sets)
    assert [f"{one.name}: {one.detail}" for one in results if not one.passed] == []
    assert [one.name for one in results if one.skipped] == ["seeds"]
