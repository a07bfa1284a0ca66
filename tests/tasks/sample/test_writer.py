"""The generated sample is deterministic, in the official layout, and its habits matter."""

import hashlib

import pytest

from tasks import TASKS
from tasks.data.loading import load_dataset
from tasks.lamp import LaMP3
from tasks.sample.writer import write_sample


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample")
    write_sample(folder)
    return folder


def digests(root):
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*.json"))
    }


def test_the_same_seed_gives_the_same_bytes(root, tmp_path):
    write_sample(tmp_path / "again")
    write_sample(tmp_path / "other", seed=1)
    same, other = digests(tmp_path / "again"), digests(tmp_path / "other")
    assert digests(root) == same
    assert len(same) == 13 * 2 * 5
    assert all(same[name] != other[name] for name in same)


@pytest.mark.parametrize("name", TASKS.names())
@pytest.mark.parametrize("split", ["user", "time"])
def test_every_set_loads(root, name, split):
    task = TASKS.get(name)()
    for set, size in (("train", 150), ("dev", 60), ("test", 20)):
        loaded = load_dataset(task, root, split=split, set=set)
        lengths = [len(example.history) for example in loaded.examples]
        assert len(loaded) == size
        assert (loaded.golds is None) == (set == "test")
        assert {0, 1} <= {*lengths}
        assert max(lengths) >= (10 if set == "test" else 15)  # of 20 queries, few are long
        assert all(len(b.text.split()) <= 40 for e in loaded.examples for b in e.history)


def test_users_recur_only_in_the_time_split(root):
    def users(split, set):
        loaded = load_dataset(LaMP3(), root, split=split, set=set)
        return {example.user_id for example in loaded.examples}

    assert len(users("time", "train") & users("time", "dev")) == 40
    assert not users("user", "train") & users("user", "dev")


def test_a_users_offset_moves_the_scores(root):
    """A user's mean score in the history predicts the user's golds."""
    pairs = [
        (sum(int(b.response) for b in example.history) / len(example.history), int(gold))
        for example, gold in load_dataset(LaMP3(), root, split="time", set="train").pairs()
        if len(example.history) >= 5
    ]
    low = [gold for mean, gold in pairs if mean < 3]
    high = [gold for mean, gold in pairs if mean > 3.6]
    assert sum(high) / len(high) > sum(low) / len(low) + 0.5
