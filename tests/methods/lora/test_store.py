"""Users' adapters on disk: trained once, safe names, damage repaired, training resumed."""

import dataclasses
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from methods.lora import store
from methods.lora.adapters import WEIGHTS
from methods.lora.store import HEALED
from methods.user_lora import NO_LESSONS
from tasks.common.errors import StorageError
from tasks.common.progress import Progress
from tests.methods.lora_users import EXAMPLES, build_method, make_user
from tests.methods.models.builders import llm


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def model():
    return llm("t5", double=True, device="cpu", decoding={"num_beams": 2, "max_new_tokens": 4})


def never(*_args, **_options):
    raise AssertionError("trained again")


def test_a_second_run_trains_nothing(tmp_path, model, monkeypatch):
    first = build_method(tmp_path, model)
    answers = first.predict(EXAMPLES)
    cost = first.cost()
    monkeypatch.setattr(store, "train_together", never)
    second = build_method(tmp_path, model)
    assert second.predict(EXAMPLES) == answers
    assert second.predict(EXAMPLES) == answers
    assert second.cost() == cost
    assert cost.trainable_shared == 0
    # q and v of 2 encoder and 2 · 2 decoder attentions, [4, 16] and [16, 4] each
    assert cost.trainable_per_user == 6 * 2 * 2 * 4 * 16
    assert cost.bytes_per_user == 4 * cost.trainable_per_user
    assert cost.seconds_per_user > 0
    with pytest.raises(AssertionError, match="trained again"):  # any other seed or history
        build_method(tmp_path, model).predict([make_user(0, 4)])


@pytest.mark.parametrize("user", ["../../x", "a/b", "..", "", "nul\0", "C:\\x", "é" * 400])
def test_a_user_id_is_never_a_path(tmp_path, model, user):
    inside = tmp_path / "deep" / "deeper"
    one = dataclasses.replace(EXAMPLES[3], user_id=user)
    found = build_method(inside, model)
    assert found.predict([one])[0].text is not None
    (adapter,) = (p for p in (inside / "cache/user-lora").iterdir() if p.is_dir())
    assert adapter.name == found.adapter_key(one)
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["deeper"]


@pytest.mark.parametrize("damage", ["cut", "flip", "gone", "seconds"])
def test_a_damaged_adapter_is_set_aside_and_trained_again(tmp_path, model, damage):
    first = build_method(tmp_path, model)
    answers = first.predict(EXAMPLES)
    folder = tmp_path / "cache/user-lora" / first.adapter_key(EXAMPLES[2])
    whole = (folder / WEIGHTS).read_bytes()
    if damage == "seconds":
        at = whole.index(b'"seconds":"') + len(b'"seconds":"')
        (folder / WEIGHTS).write_bytes(whole[:at] + b"x" + whole[at + 1 :])
    elif damage == "gone":
        (folder / WEIGHTS).unlink()
    else:
        flipped = whole[:-1] + bytes([whole[-1] ^ 1])
        (folder / WEIGHTS).write_bytes(whole[:-9] if damage == "cut" else flipped)
    with pytest.warns(UserWarning, match=folder.name):
        healed = build_method(tmp_path, model).predict(EXAMPLES)
    assert [answer.text for answer in healed] == [answer.text for answer in answers]
    assert Counter(a.note for a in healed) == {None: 4, NO_LESSONS: 1, HEALED: 1}
    assert folder.with_name(f"{folder.name}.damaged").is_dir()
    (folder / WEIGHTS).unlink()
    with pytest.warns(UserWarning, match=r"damaged-2"):
        build_method(tmp_path, model).predict(EXAMPLES)
    assert build_method(tmp_path, model).predict(EXAMPLES) == answers


def test_two_processes_train_a_group_once(tmp_path, model, monkeypatch):
    """Both need the same users at the same time: one trains, the other waits and reads."""
    trained, inner = [], store.train_together

    def slowly(llm, users, *args, **options):
        trained.extend(user.user for user in users)
        time.sleep(0.3)
        return inner(llm, users, *args, **options)

    monkeypatch.setattr(store, "train_together", slowly)
    both = [build_method(tmp_path, model, users_at_once=8) for _ in range(2)]
    lessons = {key: both[0]._lessons(key, e) for e in EXAMPLES if (key := both[0].adapter_key(e))}
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda m: m.store.adapters(list(lessons), lessons.get), both))
    assert sorted(trained) == sorted(e.user_id for e in EXAMPLES if e.history)
    assert [kept.seconds for kept in found[0]] == [kept.seconds for kept in found[1]]


class Dies(Progress):
    def __init__(self):
        self.left = 9

    def advance(self, steps=1):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


def test_a_kill_in_the_second_group_keeps_the_first(tmp_path, model, monkeypatch):
    wanted = build_method(tmp_path / "whole", model, users_at_once=2).predict(EXAMPLES)
    cut = build_method(tmp_path / "cut", model, users_at_once=2)
    cut.runtime.progress = Dies()
    with pytest.raises(KeyboardInterrupt):
        cut.predict(EXAMPLES)
    trained, inner = [], store.train_together
    monkeypatch.setattr(
        store, "train_together",
        lambda llm, users, *a, **o: trained.extend(u.user for u in users) or inner(llm, users, *a, **o),
    )  # fmt: skip
    again = build_method(tmp_path / "cut", model, users_at_once=2)
    assert again.predict(EXAMPLES) == wanted
    assert "user 0" not in trained
    assert len(trained) == 4
    assert not (tmp_path / "cut/scratch/user-lora/training").exists()


def test_broken_training_times_are_reported(tmp_path, model):
    found = build_method(tmp_path, model)
    found.predict(EXAMPLES[:1])
    (tmp_path / "scratch/user-lora/seconds.json").write_text("{")
    with pytest.raises(StorageError, match=r"seconds.json.*Delete it"):
        found.cost()
