"""Controls give a method a history that is not the user's, and nothing else changes."""

import dataclasses
import random

import pytest
import torch

from bench.conformance import check
from bench.conformance.tiny_runtime import tiny_runtimes
from methods.bm25 import BM25
from methods.core.controls import (
    CLOSEST,
    OWN_ITEMS,
    SHORTER,
    SWAPS,
    OwnRandom,
    RandomProfile,
    ShuffledUser,
)
from methods.core.controls import make_control as under
from methods.pplug import PPlug
from methods.recency import Recency
from tasks import TASKS
from tasks.common.errors import ConfigError
from tasks.common.seeds import Seeds
from tasks.data.loading import load_dataset
from tasks.example import Prediction
from tasks.sample.writer import write_sample
from tests.methods.helpers import EchoLLM, behavior, build, example, split

SEEDS = Seeds.root("test")
PPlugShuffled = under(PPlug, "shuffled-user")
PPlugShuffledInTraining = under(PPlug, "shuffled-user+training")
RecencyRandomProfile = under(Recency, "random-profile")
RecencyOwnRandom = under(Recency, "own-random")


def user(name, size, queries=1, first=0):
    """The queries of a user with `size` behaviours; a behaviour's id tells whose it is."""
    items = [behavior(f"{name}.{i}", f"text {i}", "3", f"2020-01-{i + 1:02d}") for i in range(size)]
    return [
        dataclasses.replace(example(f"{name}-{first + q}", history=items), user_id=name)
        for q in range(queries)
    ]


POPULATION = [
    asked
    for n in range(40)
    for asked in user(f"u{n}", size=n % 12, queries=1 + n % 3)
]  # fmt: skip
ASKED = [e for n in range(0, 40, 3) for e in user(f"u{n}", n % 12, queries=12, first=7)]


def owners(history):
    return [b.id.split(":")[-1].split(".")[0] for b in history]


@pytest.mark.parametrize("swap", [ShuffledUser, RandomProfile])
def test_nothing_of_the_users_own_is_left(swap):
    for asked, given in zip(ASKED, swap(POPULATION, SEEDS)(ASKED), strict=True):
        assert asked.user_id not in owners(given.history)
        assert dataclasses.replace(given, history=asked.history) == asked


def test_a_shuffled_user_is_one_other_user_of_about_the_length():
    wide = [e for n in range(60) for e in user(f"w{n}", size=n)]
    for asked in [e for n in (1, 5, 20, 44, 59) for e in user("me", size=n)]:
        (given,) = ShuffledUser(wide, SEEDS)([asked])
        size = len(asked.history)
        assert len(set(owners(given.history))) == 1
        assert size - CLOSEST <= len(given.history) <= size
        owner = int(owners(given.history)[0][1:])
        assert abs(owner - size) <= CLOSEST
        newest = [f"w{owner}.{i}" for i in range(owner)][-size:]
        assert [b.id for b in given.history] == newest  # in order


@pytest.mark.parametrize("spread", [lambda n: 1 + n, lambda n: 1 + n * n, lambda n: 1 + n // 7])
def test_the_closest_users_are_those_of_a_search_through_all(spread):
    """Dense, sparse and tied lengths: all others no farther away than the 10th closest."""
    population = [e for n in range(25) for e in user(f"c{n}", size=spread(n))]
    swap = ShuffledUser(population, SEEDS)
    for size in (1, 2, 3, 4, 8, 15, 24, 40, 290, 576, 700):
        asked = dataclasses.replace(user("me", size)[0], user_id="c3")
        others = [e for e in population if e.user_id != "c3"]
        distances = sorted(abs(len(e.history) - size) for e in others)
        within = {e.id for e in others if abs(len(e.history) - size) <= distances[CLOSEST - 1]}
        assert {e.id for e in swap._closest(asked, size)} == within


def test_equal_lengths_are_matched_exactly_and_all_of_them_serve():
    even = [e for n in range(60) for e in user(f"e{n}", size=1 + n % 2 * 6)]
    swap = ShuffledUser(even, SEEDS)
    given = [swap(user(f"me{n}", size=7))[0].history for n in range(200)]
    assert {len(history) for history in given} == {7}
    assert {owners(history)[0] for history in given} == {f"e{n}" for n in range(1, 60, 2)}


def test_random_profile_mixes_users_and_keeps_the_number():
    for asked, given in zip(ASKED, RandomProfile(POPULATION, SEEDS)(ASKED), strict=True):
        assert len(given.history) == len(asked.history)
        assert len({b.id for b in given.history}) == len(given.history)
    (given,) = RandomProfile(POPULATION, SEEDS)(user("me", 30))
    assert len(set(owners(given.history))) > 10


def test_own_random_is_a_few_of_the_users_own_in_order():
    swap = OwnRandom((), SEEDS)
    for size in (0, 1, OWN_ITEMS, 11):
        (asked,) = user("me", size)
        (given,) = swap([asked])
        kept = [b for b in asked.history if b in given.history]
        assert list(given.history) == kept
        assert len(kept) == min(OWN_ITEMS, size)
    drawn = {swap(user("me", 11, first=q))[0].history for q in range(20)}
    assert len(drawn) > 10


@pytest.mark.parametrize("swap", SWAPS.values())
def test_a_swap_depends_on_the_example_and_the_seed_alone(swap):
    asked = [e for e in ASKED if len(e.history) > OWN_ITEMS]
    given = {e.id: e for e in swap(POPULATION, SEEDS)(asked)}
    mixed = random.Random(0).sample(asked, len(asked))
    again = swap(POPULATION, SEEDS)
    assert all(given[e.id] == e for e in again(mixed))
    assert again(asked[3:4]) == [given[asked[3].id]]
    other = swap(POPULATION, SEEDS.child("other"))(asked)
    assert [e.history for e in other] != [given[e.id].history for e in asked]


def test_a_shuffled_user_does_not_depend_on_the_order_of_the_population():
    turned = ShuffledUser(POPULATION[::-1], SEEDS)
    assert turned(ASKED) == ShuffledUser(POPULATION, SEEDS)(ASKED)


@pytest.mark.parametrize("swap", SWAPS.values())
def test_an_empty_history_stays_empty(swap):
    for population in (POPULATION, []):
        assert swap(population, SEEDS)(user("new", 0))[0].history == ()


@pytest.mark.parametrize("swap", [ShuffledUser, RandomProfile])
@pytest.mark.parametrize(
    "population",
    [[], user("me", 3, queries=5), [*user("me", 3), *user("other", 0), *user("third", 0)]],
    ids=["nobody", "only the user", "others without a history"],
)
def test_a_population_of_nobody_else_is_refused(swap, population):
    with pytest.raises(ConfigError, match="a user other than 'me' with a history") as caught:
        swap(population, SEEDS)(user("me", 2, first=9))
    assert caught.value.id == "me-9"


@pytest.mark.parametrize("swap", [ShuffledUser, RandomProfile])
def test_a_user_without_a_history_is_nobodys_stand_in(swap):
    few = [e for n in range(9) for e in user(f"u{n}", size=0)] + user("one", 5)
    for n in range(20):
        (given,) = swap(few, SEEDS)(user(f"me{n}", size=1))
        assert owners(given.history) == ["one"]


def test_an_unknown_control_is_told_the_nearest():
    with pytest.raises(ConfigError, match="shuffled-user"):
        under(PPlug, "shufled-user")
    with pytest.raises(ConfigError, match="unknown control"):
        under(PPlug, "+training")


class Recorder(Recency):
    """Keeps what it was given."""

    def fit(self, train, dev):
        self.fitted = [[b.id for b in e.history] for s in (train, dev) for e in s.examples]
        return super().fit(train, dev)

    def predict(self, examples):
        self.asked = list(examples)
        return [Prediction(e.id, " ".join(b.id for b in e.history)) for e in examples]


@pytest.mark.parametrize("in_training", [False, True])
def test_training_is_swapped_only_where_asked(tmp_path, in_training):
    kind = under(Recorder, "shuffled-user" + "+training" * in_training)
    method = build(kind, tmp_path, {"k": 2}, llm=EchoLLM())
    method.runtime.population = POPULATION
    examples = POPULATION[3:9]
    golds = {e.id: "1" for e in examples}
    train, dev = split(golds, examples=examples[:3]), split(golds, examples=examples[3:], set="dev")
    method.fit(train, dev)
    own = [[b.id for b in e.history] for e in examples]
    assert (method.inner.fitted == own) != in_training
    for fitted, mine in zip(method.inner.fitted, own, strict=True):
        assert not in_training or not set(fitted) & set(mine)
    answers = method.predict(examples)
    assert [a.id for a in answers] == [e.id for e in examples]
    assert all(
        a.text and not set(a.text.split()) & {b.id for b in e.history}
        for a, e in zip(answers, examples, strict=True)
    )


def test_names_and_fits_are_shared_with_the_method_itself():
    config = BM25.Config()
    plain, trained = under(BM25, "shuffled-user"), under(BM25, "shuffled-user+training")
    assert (plain.name, trained.name) == ("bm25@shuffled-user", "bm25@shuffled-user+training")
    assert plain.fit_key(config) == BM25.fit_key(config)
    assert trained.fit_key(config) != BM25.fit_key(config)
    assert (plain.version, plain.Config, plain.uses_llm) == (1, BM25.Config, True)
    assert PPlugShuffled.uses_encoder
    assert not plain.uses_encoder


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory):
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("controls")
    write_sample(folder / "data", users=4, train=10, dev=6, test=1)
    task = TASKS.get("LaMP-3")()
    sets = {s: load_dataset(task, folder / "data", split="time", set=s) for s in ("train", "dev")}
    return {"task": task, "make_runtime": tiny_runtimes(task, folder / "models"), **sets}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("PPlugShuffled", {"training": {"batch_size": 4, "epochs": 1}}),
        ("PPlugShuffledInTraining", {"training": {"batch_size": 4, "epochs": 1}}),
        ("RecencyRandomProfile", {}),
        ("RecencyOwnRandom", {}),
    ],
)
def test_a_method_under_a_control_conforms(surroundings, name, options):
    results = check(f"{__name__}:{name}", options, **surroundings)
    assert not [f"{r.name}: {r.detail}" for r in results if not r.passed]


def test_a_shorter_history_is_noted_and_no_other(tmp_path):
    """The only other user has 3 items: fewer than 5, as many as 3, and cut to 2."""
    method = build(under(Recency, "shuffled-user"), tmp_path, llm=EchoLLM())
    population = tuple(user("other", 3))
    method.runtime = dataclasses.replace(method.runtime, population=population)
    asked = [user(name, size)[0] for name, size in (("a", 5), ("b", 3), ("c", 2))]
    assert [p.note for p in method.predict(asked)] == [SHORTER, None, None]
