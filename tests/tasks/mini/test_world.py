"""LaMP-mini's files are deterministic, pass the audit, and come with bounds."""

import hashlib
import json
from statistics import median

import pytest
from pydantic import ValidationError

from tasks import TASKS, Prediction
from tasks.common.errors import ConfigError
from tasks.data.audit import audit
from tasks.mini.world import WorldConfig, write_world
from tests.tasks.mini.support import BY_NAME, NAMES, digests, load, load_bounds, topic_of

SMALL = WorldConfig(users=30, train_queries=2)
SHA256 = "4785cf3b61fa31cb4a70a7e812eea793df0288d907d4efafafb634b43eba4335"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mini")
    write_world(folder, WorldConfig(users=125, train_queries=2))
    return folder


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    write_world(folder, SMALL)
    return folder


def test_the_same_config_gives_the_recorded_bytes(small):
    found = digests(small)
    assert len(found) == 6 * 2 * 9
    assert hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest() == SHA256


def test_another_seed_gives_other_users_and_texts(small, tmp_path):
    write_world(tmp_path, SMALL.model_copy(update={"seed": 1}))
    first, other = digests(small), digests(tmp_path)
    assert all(first[name] != other[name] for name in first)
    texts = [
        {e.query for e in load(folder, "LaMP-2", "train").examples} for folder in (small, tmp_path)
    ]
    assert not texts[0] & texts[1]


def test_a_tasks_files_do_not_depend_on_what_else_is_written(small, tmp_path):
    write_world(tmp_path, SMALL, tasks=["LaMP-4"], splits=["time"])
    alone = digests(tmp_path)
    assert len(alone) == 9
    assert alone.items() <= digests(small).items()


def test_an_unknown_task_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"no task 'LaMP-6'.*Did you mean"):
        write_world(tmp_path, SMALL, tasks=["LaMP-6"])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "knobs", [{"noise": 1.1}, {"global_share": -0.1}, {"user": 3}, {"shortest_history": 41}]
)
def test_invalid_options_are_refused(knobs):
    with pytest.raises(ValidationError, match=next(iter(knobs))):
        WorldConfig(**knobs)


@pytest.mark.parametrize("split", ["user", "time"])
@pytest.mark.parametrize("name", NAMES)
def test_the_audit_finds_no_more_than_undated_histories(root, name, split):
    found = audit(TASKS.get(name)(), root, split)
    # Histories of the user split have no dates, as in LaMP's files.
    undated = {"undated-histories"} if split == "user" else set()
    assert {f.kind for f in found.findings if f.severity != "info"} == undated
    known = {"empty-history", "shared-users", "gold-in-profile", "gold-in-query", *undated}
    assert {f.kind for f in found.findings} <= known
    sizes = {facts.set: facts.examples for facts in found.sets}
    assert sizes == {"train": 250, "dev": 125, "test": 125}
    assert all(facts.empty_histories for facts in found.sets)


@pytest.mark.parametrize("name", NAMES)
def test_histories_are_long_tailed_and_of_the_users_topics(root, name):
    examples = load(root, name, "train", "user").examples
    lengths = [len(example.history) for example in examples]
    assert lengths.count(0) == lengths.count(1) == 5
    assert max(lengths) == 40
    assert min(length for length in lengths if length > 1) >= 8
    assert median(lengths) < sum(lengths) / len(lengths)
    for example in examples[:50]:
        topics = {topic_of(item.text) for item in example.history}
        assert len(topics | {topic_of(example.subject)}) <= 4


def test_users_recur_only_in_the_time_split(root):
    users = {
        (split, set): {e.user_id for e in load(root, "LaMP-7", set, split).examples}
        for split in ("user", "time")
        for set in ("train", "dev")
    }
    assert len(users["time", "train"] & users["time", "dev"]) == 120  # all who are not cold
    assert len(users["user", "train"]) == 250
    train, dev = (load(root, "LaMP-7", set).examples for set in ("train", "dev"))
    before = {e.user_id: {b.text for b in e.history} for e in train[125:]}
    later = [e for e in dev if 1 < len(e.history) < 40 and e.user_id in before]
    assert later
    assert all(before[e.user_id] < {b.text for b in e.history} for e in later)


def scores(root, name, set="train", split="time"):
    task, golds = BY_NAME[name].task, load(root, name, set, split).golds
    sign = 1 if name != "LaMP-3" else -1  # LaMP-3's primary metric is an error
    found = {}
    for bound, outputs in load_bounds(root, name, set, split).items():
        assert outputs.keys() == golds.keys()
        score = task.score([Prediction(*pair) for pair in outputs.items()], golds)
        assert score[task.metrics[0]].n_unparsed == 0
        found[bound] = sign * score[task.metrics[0]].value
    return found


MARGINS = {
    "LaMP-1": 0.2,
    "LaMP-2": 0.3,
    "LaMP-3": 0.5,
    "LaMP-4": 0.2,
    "LaMP-5": 0.2,
    "LaMP-7": 0.15,
}
BLIND = {
    "LaMP-1": 0.05,
    "LaMP-2": 0.2,
    "LaMP-3": 0.4,
    "LaMP-4": 0.05,
    "LaMP-5": 0.04,
    "LaMP-7": 0.03,
}


@pytest.mark.parametrize("split", ["user", "time"])
@pytest.mark.parametrize("name", NAMES)
def test_oracle_above_user_blind_above_random(root, name, split):
    found = scores(root, name, split=split)
    assert found["oracle"] > found["user-blind"] + MARGINS[name]
    assert found["user-blind"] > found["random"] + BLIND[name]


@pytest.fixture(scope="module")
def noiseless(tmp_path_factory):
    folder = tmp_path_factory.mktemp("noiseless")
    write_world(folder, WorldConfig(users=40, noise=0, drift=1), splits=["time"])
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_without_noise_the_oracle_is_perfect_even_under_drift(noiseless, name):
    assert scores(noiseless, name)["oracle"] == (0 if name == "LaMP-3" else pytest.approx(1))


@pytest.mark.parametrize("name", ["LaMP-1", "LaMP-2", "LaMP-3"])
def test_noise_is_the_oracles_error(root, name):
    """Each noisy answer costs one error: 250 queries at 5% noise."""
    oracle = scores(root, name)["oracle"]
    assert abs(oracle if name == "LaMP-3" else 1 - oracle) == pytest.approx(0.05, abs=0.03)
