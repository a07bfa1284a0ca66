"""User-LoRA and its pooled control as methods: whose adapter answers, what is kept, what is told."""

import dataclasses
import json

import pytest
import torch
from peft import PeftModel

from bench.conformance import check
from bench.conformance.tiny_runtime import tiny_runtimes
from methods.lora.lessons import as_queries
from methods.models.language_model import LanguageModel
from methods.pooled_lora import PooledLora
from methods.user_lora import NO_LESSONS, UserLora
from methods.zero_shot import ZeroShot
from tasks import TASKS
from tasks.common.errors import ConfigError, DataError, ModelError
from tasks.data.loading import load_dataset
from tasks.sample.writer import write_sample
from tests.methods.helpers import behavior, build, example, split
from tests.methods.models.builders import PROMPTS, llm

TEXTS = ["the quick brown fox", "dog near the river", "many short texts", "a model reads"]
SHARP = {
    "lora": {"rank": 4, "alpha": 16, "dropout": 0.1},
    "training": {
        "learning_rate": 0.1, "epochs": 2, "batch_size": 2, "max_grad_norm": 10.0,
        "checkpoint_minutes": 1e-9,
    },
    "max_response_tokens": 4,
}  # fmt: skip
ADAPTED = {"task_adaptation": {"lora": {"rank": 2, "alpha": 4, "targets": ["q", "k", "v"]},
                               "training": {"learning_rate": 0.05, "batch_size": 2}}}  # fmt: skip


def asked(number, size, user=None):
    items = [
        behavior(f"b{i}", TEXTS[(number + i) % 4], str(1 + (number + i) % 5), f"2020-01-0{9 - i}")
        for i in range(size)
    ]
    found = example(str(number), TEXTS[number % 4], items, input=PROMPTS[number % 7])
    return dataclasses.replace(found, user_id=user or f"user {number}")


EXAMPLES = [asked(0, 3), asked(1, 0), asked(2, 5), asked(3, 1), asked(4, 4), asked(5, 2)]
TRAIN = split({str(n): str(1 + n % 5) for n in range(6)}, examples=EXAMPLES)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def model():
    """In float64, so that answers can't tip by what stands beside them."""
    return llm("t5", double=True, device="cpu", decoding={"num_beams": 2, "max_new_tokens": 4})


def method(folder, model, cls=UserLora, **config):
    return build(cls, folder, SHARP | config, llm=model)


def test_each_user_is_answered_by_its_own_adapter(tmp_path, model):
    together = method(tmp_path / "a", model).predict(EXAMPLES)
    by_two = method(tmp_path / "b", model, users_at_once=2).predict(EXAMPLES[::-1])[::-1]
    alone = [method(tmp_path / e.id, model).predict([e])[0] for e in EXAMPLES[1:4]]
    assert together == by_two
    assert together[1:4] == alone
    plain = build(ZeroShot, tmp_path / "z", llm=model).predict(EXAMPLES)
    changed = [one.text != other.text for one, other in zip(together, plain, strict=True)]
    assert not changed[1]  # no history: the shared model
    assert sum(changed) >= 3
    assert [answer.note for answer in together] == [None, NO_LESSONS, None, None, None, None]


def test_lessons_are_made_of_the_user_and_with_the_plain_llm(tmp_path, model, monkeypatch):
    """Whichever of a user's queries comes first, and before the shared adapter is attached."""
    first, second = (dataclasses.replace(asked(4, 4), id=id) for id in ("one", "two"))
    task = TASKS.get("LaMP-3")()
    assert as_queries(task, first) == as_queries(task, second)
    made = method(tmp_path, model, **ADAPTED)
    made.fit(TRAIN, None)
    inner, hooked = made._lessons, []

    def lessons(key, example):
        hooked.append(any(m._forward_hooks for m in model.model.modules()))
        return inner(key, example)

    monkeypatch.setattr(made, "_lessons", lessons)
    made.predict(EXAMPLES)
    assert hooked == 5 * [False]


def test_it_learns_what_the_user_answers(tmp_path, model):
    """A user whose every score is 5 gets 5; another whose every score is 1 gets 1."""

    def liking(score):
        items = [behavior(f"b{i}", text, score) for i, text in enumerate(TEXTS)]
        return dataclasses.replace(EXAMPLES[0], id=score, user_id=score, history=tuple(items))

    training = SHARP["training"] | {"epochs": 20, "learning_rate": 0.05, "batch_size": 4}
    lora = {"rank": 4, "targets": ["q", "v", "wo", "lm_head"]}
    answers = method(tmp_path, model, training=training, lora=lora).predict(
        [liking("1"), liking("5")]
    )
    assert [answer.text for answer in answers] == ["1", "5"]


def test_what_an_adapter_depends_on(tmp_path, model):
    key = method(tmp_path, model).adapter_key
    wanted = key(EXAMPLES[0])
    assert len(wanted) == 64
    assert key(EXAMPLES[1]) is None
    assert key(dataclasses.replace(EXAMPLES[0], id="another query")) == wanted
    assert key(dataclasses.replace(EXAMPLES[0], user_id="x")) != wanted
    assert key(dataclasses.replace(EXAMPLES[0], history=EXAMPLES[0].history[1:])) != wanted
    same = {"users_at_once": 3, "text": "bm25"}
    assert method(tmp_path, model, **same).adapter_key(EXAMPLES[0]) == wanted
    for other in (
        {"lora": SHARP["lora"] | {"alpha": 4}}, {"training": SHARP["training"] | {"epochs": 4}},
        {"text": "bm25", "retrieval_in_training": 1}, ADAPTED, {"max_response_tokens": 5},
    ):  # fmt: skip
        assert method(tmp_path, model, **other).adapter_key(EXAMPLES[0]) != wanted


def test_another_decoding_trains_no_adapter_again(tmp_path):
    def key(identity, weights="same", **options):
        read = llm("t5", device="cpu", **options)
        other = LanguageModel(read.model, read.tokenizer, read.config, identity, weights=weights)
        return method(tmp_path, other, **asked).adapter_key(EXAMPLES[0])

    asked = {}
    assert key("greedy", decoding={"num_beams": 1}) == key("beams", decoding={"num_beams": 4})
    assert key("greedy") != key("greedy", dtype="bfloat16") != key("greedy", weights="other")
    asked = {"text": "bm25", "retrieval_in_training": 1}
    assert key("greedy") != key("beams")


def test_only_earlier_items_are_shown_in_training():
    task = TASKS.get("LaMP-3")()
    queries = [query for query, _ in as_queries(task, EXAMPLES[2])]
    # The dates fall along the file: the last item is the oldest.
    assert [query.id for query in queries] == [f"user 2:b{i}" for i in (4, 3, 2, 1, 0)]
    assert [[b.id for b in query.history] for query in queries] == [
        [], ["b4"], ["b3", "b4"], ["b2", "b3", "b4"], ["b1", "b2", "b3", "b4"],
    ]  # fmt: skip
    assert queries[0].query == EXAMPLES[2].history[4].content
    assert queries[0].input == f"{task.instruction} {queries[0].query}"


def test_the_query_of_a_completed_tweet_shows_no_more_than_its_input():
    task = TASKS.get("LaMP-7")()
    tweet = behavior("t", "one two three four five six seven eight nine ten")
    ((query, response),) = as_queries(task, example("q", history=[tweet]))
    assert query.query == query.input
    assert response.split()[-1] == "ten"
    assert "ten" not in query.query


def test_retrieval_in_training_writes_the_earlier_items_into_the_prompts(tmp_path, model):
    found = method(tmp_path, model, text="bm25", text_options={"k": 3}, retrieval_in_training=1)
    found.runtime.max_input_tokens = 300
    lessons = found._lessons("key", EXAMPLES[2])
    shown = [prompt.count("is the score for") for prompt in lessons.prompts]
    assert shown == [0, 1, 1, 1, 1]
    assert found.predict(EXAMPLES[2:3])[0].behaviors != ()
    plain = method(tmp_path, model, text="bm25")._lessons("key", EXAMPLES[2])
    assert not any("is the score for" in prompt for prompt in plain.prompts)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"text": "dense"}, "needs an encoder"),
        ({"text": "pplug"}, "no prompt method"),
        ({"retrieval_in_training": 2}, "has none"),
        ({"training": {"early_stop_patience": 2}}, "a user has none"),
    ],
)
def test_options_that_make_no_sense(config, message):
    with pytest.raises(ConfigError, match=message):
        UserLora.Config(**config)


def test_the_task_adaptation_stays_under_the_users_adapters(tmp_path, model):
    fitted = method(tmp_path / "a", model, **ADAPTED)
    report = fitted.fit(TRAIN, None)
    assert (report.steps, report.notes["empty_histories"]) == (2 * 3, 1)
    assert report.notes["failed_prompts"] == 0
    shared = fitted.shared.weights(0)
    answers = fitted.predict(EXAMPLES)
    assert all(torch.equal(w, shared[n]) for n, w in fitted.shared.weights(0).items())
    fitted.save(tmp_path / "saved")
    loaded = method(tmp_path / "b", model, **ADAPTED)
    loaded.load(tmp_path / "saved")
    assert loaded.predict(EXAMPLES) == answers
    # 6 attentions, q, k and v, of rank 2
    assert loaded.cost().trainable_shared == 6 * 3 * 2 * 2 * 16
    other = method(tmp_path / "c", model, task_adaptation={"lora": {"rank": 3}})
    with pytest.raises(ModelError, match="rank 2, not 3"):
        other.load(tmp_path / "saved")


def test_users_of_one_task_adaptation_share_its_fit():
    def fit(**config):
        return UserLora.fit_key(UserLora.Config(**config))

    assert fit() == fit(lora={"rank": 2}) == fit(text="bm25")
    assert fit(**ADAPTED) == fit(**ADAPTED, training={"epochs": 9}, users_at_once=2)
    assert len({json.dumps(i) for i in (fit(), fit(**ADAPTED), fit(**ADAPTED, text="bm25"))}) == 3
    whole = UserLora.key(UserLora.Config())
    assert whole == UserLora.key(UserLora.Config(users_at_once=5))
    assert whole != UserLora.key(UserLora.Config(retrieval_in_training=1, text="bm25"))


@pytest.mark.parametrize("options", [{}, ADAPTED])
def test_an_exported_adapter_gives_the_same_in_plain_peft(tmp_path, model, options):
    found = method(tmp_path, model, **options)
    found.fit(TRAIN, None)
    wanted = found.predict(EXAMPLES)[2]
    found.export(EXAMPLES[2], tmp_path / "exported")
    fresh = llm("t5", double=True, device="cpu", decoding={"num_beams": 2, "max_new_tokens": 4})
    PeftModel.from_pretrained(fresh.model, tmp_path / "exported")
    (answer,) = fresh.generate([EXAMPLES[2].input], max_new_tokens=4, max_input_tokens=100)
    assert answer.text == wanted.text
    with pytest.raises(DataError, match="'user 1' has no history"):
        found.export(EXAMPLES[1], tmp_path / "none")


def test_pooled_learns_each_item_of_a_user_once(tmp_path, model):
    twice = (*EXAMPLES, dataclasses.replace(EXAMPLES[2], id="6"))
    train = split({str(n): "1" for n in range(7)}, examples=twice)
    found = method(tmp_path, model, PooledLora)
    report = found.fit(train, None)
    # 3 + 5 + 1 + 4 + 2 items; asked(4)'s and asked(0)'s like ones are of different users
    assert (report.examples, report.steps) == (15 * 2, 8 * 2)
    answers = found.predict(EXAMPLES)
    without = [dataclasses.replace(e, history=()) for e in EXAMPLES]
    assert found.predict(without) == answers
    assert found.cost().trainable_per_user == 0
    assert found.cost().trainable_shared == 6 * 2 * 2 * 4 * 16
    found.save(tmp_path / "saved")
    loaded = method(tmp_path / "b", model, PooledLora)
    loaded.load(tmp_path / "saved")
    assert loaded.predict(EXAMPLES) == answers


def test_pooled_is_personal_only_by_its_text():
    assert not PooledLora.is_personal(PooledLora.Config())
    assert PooledLora.is_personal(PooledLora.Config(text="bm25"))
    assert UserLora.is_personal(UserLora.Config())


def test_pooled_without_any_history_is_refused(tmp_path, model):
    nobody = [dataclasses.replace(e, history=()) for e in EXAMPLES]
    with pytest.raises(DataError, match="teaches anything"):
        method(tmp_path, model, PooledLora).fit(split(TRAIN.golds, examples=nobody), None)


def test_with_its_task_adaptation_it_passes_the_conformance_suite(tmp_path):
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
