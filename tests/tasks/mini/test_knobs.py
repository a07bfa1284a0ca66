"""The dial, drift and noise change what they should, and nothing else."""

from collections import Counter

import pytest

from tasks.mini.lexicon import SCHOOLS
from tasks.mini.life import Life, Side
from tasks.mini.taste import draw_user
from tasks.mini.world import WorldConfig, write_world
from tests.tasks.mini.support import BY_NAME, NAMES, load, load_bounds, topic_of

SCHOOL_OF = {tool: school for school, tools in SCHOOLS.items() for tool in tools}


def user(name, number, share=0.5, drift=0.0):
    taste = BY_NAME[name].taste
    return draw_user(taste, "u", ("test", number), share=share, drift=drift, acts=40)


@pytest.mark.parametrize("name", NAMES)
def test_the_dial_sets_how_many_topics_follow_the_general_taste(name):
    local = {
        share: sum(len(user(name, number, share).tastes.local) for number in range(100))
        for share in (0.0, 0.3, 1.0)
    }
    assert local[0.0] == 800
    assert local[0.3] == pytest.approx(560, abs=40)
    assert local[1.0] == 0


@pytest.mark.parametrize("name", NAMES)
def test_turning_the_dial_changes_which_taste_applies_but_no_taste(name):
    none, half, all = (user(name, 7, share) for share in (0.0, 0.5, 1.0))
    assert none.tastes.general == half.tastes.general == all.tastes.general
    assert none.topics == half.topics == all.topics
    assert half.tastes.local.items() < none.tastes.local.items()
    topic = next(iter(half.tastes.local))
    assert half.taste(topic, 0) == none.taste(topic, 0)
    assert all.taste(topic, 0) == all.tastes.general


def test_drift_redraws_all_tastes_in_the_middle_of_a_life():
    drifting = [user("LaMP-4", number, drift=1.0) for number in range(50)]
    assert all(user("LaMP-4", number).later is None for number in range(50))
    assert all(10 <= one.changes_at <= 30 for one in drifting)
    one = next(one for one in drifting if one.tastes.general != one.later.general)
    assert one.tastes == user("LaMP-4", drifting.index(one)).tastes
    topic = next(topic for topic in one.topics if one.tastes.on(topic) != one.later.on(topic))
    assert one.taste(topic, one.changes_at - 1) == one.tastes.on(topic)
    assert one.taste(topic, one.changes_at) == one.later.on(topic)


@pytest.mark.parametrize("name", NAMES)
def test_answers_differ_from_the_oracle_only_by_noise(name):
    def acts(noise):
        life = Life(
            BY_NAME[name], user(name, 3), ("test",), noise=noise, side=Side.WORLD, taken=set()
        )
        return [life.act() for _ in range(400)]

    clean, noisy, wild = acts(0.0), acts(0.25), acts(1.0)
    assert all(act.answer == act.oracle for act in clean)
    assert sum(act.answer != act.oracle for act in noisy) == pytest.approx(100, abs=30)
    assert all(act.answer != act.oracle for act in wild)
    assert [act.content for act in clean] == [act.content for act in noisy]


@pytest.fixture(scope="module")
def dialled(tmp_path_factory):
    folders = {}
    for share in (0.0, 1.0):
        folders[share] = tmp_path_factory.mktemp("dial")
        config = WorldConfig(users=250, train_queries=1, global_share=share)
        write_world(folders[share], config, tasks=["LaMP-1", "LaMP-3", "LaMP-4"], splits=["user"])
    return folders


def test_the_dial_leaves_the_texts_unchanged(dialled):
    for name in ("LaMP-3", "LaMP-4"):  # a citation shows the author's school
        first, second = (load(dialled[share], name, split="user") for share in (0.0, 1.0))
        assert [e.input for e in first.examples] == [e.input for e in second.examples]
        assert first.golds != second.golds
        blind = [load_bounds(root, name, split="user")["user-blind"] for root in dialled.values()]
        assert blind[0] == blind[1]


def school(example, items):
    """The first reference, if its school is the more common one in the items' titles."""
    counts = Counter(SCHOOL_OF[item.content.split(": ")[-1]] for item in items)
    first, second = (
        SCHOOL_OF[part.split('"')[1].split(": ")[-1]]
        for part in example.input.partition("[1]: ")[2].split("[2]: ")
    )
    return "[1]" if counts[first] >= counts[second] else "[2]"


def form(item_title):
    return "question" if "?" in item_title else "subtitle" if ":" in item_title else "other"


def asks(example, items):
    return Counter(form(item.response) for item in items).most_common(1)[0][0]


@pytest.mark.parametrize("name", ["LaMP-1", "LaMP-4"])
def test_local_tastes_show_only_in_history_close_to_the_query(dialled, name):
    """Counting over the whole history is compared with counting over the query's topic."""
    read, expect = {"LaMP-1": (school, str), "LaMP-4": (asks, form)}[name]
    accuracy = {}
    for share, root in dialled.items():
        hits = Counter()
        rows = 0
        for example, gold in load(root, name, "train", "user").pairs():
            topic = topic_of(example.subject)
            near = [item for item in example.history if topic_of(item.text) == topic]
            if near:
                rows += 1
                hits["whole"] += read(example, example.history) == expect(gold)
                hits["near"] += read(example, near) == expect(gold)
        accuracy[share] = {how: count / rows for how, count in hits.items()}
    assert accuracy[1.0]["whole"] >= accuracy[1.0]["near"] > 0.85
    assert accuracy[0.0]["near"] > 0.85
    assert accuracy[0.0]["whole"] < accuracy[0.0]["near"] - 0.12
