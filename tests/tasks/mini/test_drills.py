"""Exercises on LaMP-1: each shows what its answer needs, and nothing that gives it away."""

from itertools import islice
from typing import get_args

import pytest

from tasks.mini.drills import DRILLS, Drill
from tasks.mini.lexicon import ASK_TASTE, ASK_TOPIC, SCHOOLS
from tasks.mini.pretraining import pretraining_pairs, tasks_of
from tests.tasks.mini.support import BY_NAME, TOPIC_OF, topic_of

TASK = BY_NAME["LaMP-1"].task
SCHOOL_OF = {tool: school for school, tools in SCHOOLS.items() for tool in tools}


def pairs(drill, number):
    return list(islice(pretraining_pairs(0, drill), number))


def parts(input):
    """What is said before the prompt, item by item, the title, and the references."""
    said, _, prompt = input.rpartition("For an author")
    asked = f"For an author{prompt}"
    quoted = TASK._parts(asked)
    items = said.removesuffix(" . ").partition("i say ")[2].split(" , ")
    return (
        [item for item in items if item],
        TASK.subject(asked),
        (quoted["first"], quoted["second"]),
    )


@pytest.mark.parametrize("drill", DRILLS)
def test_drills_are_of_one_task_and_deterministic(drill):
    assert drill in get_args(Drill)
    assert tasks_of(drill) == ("LaMP-1",)
    assert pairs(drill, 40) == pairs(drill, 40)
    assert len({input for input, _ in pairs(drill, 40)}) > 35


@pytest.mark.parametrize("drill", ["field", "short field", "thin field"])
def test_the_field_alone_tells_the_reference(drill):
    for input, output in pairs(drill, 60):
        items, title, references = parts(input)
        of_the_field = [topic_of(reference) == topic_of(title) for reference in references]
        assert not items
        assert sum(of_the_field) == 1
        assert output == ("[1]" if of_the_field[0] else "[2]")


def test_thinned_titles_range_from_one_noun_to_whole_ones():
    titles = [parts(input)[1].split() for input, _ in pairs("thin field", 200)]
    whole = [parts(input)[1].split() for input, _ in pairs("field", 200)]
    assert min(map(len, titles)) == 1
    assert max(map(len, titles)) == max(map(len, whole))
    assert all(any(word in TOPIC_OF for word in title) for title in titles)


def test_fields_are_named_in_the_prompts_order():
    for input, output in pairs("topics", 60):
        assert input.startswith(f"{ASK_TOPIC} ")
        _, title, references = parts(input.removeprefix(f"{ASK_TOPIC} "))
        assert output == " , ".join(topic_of(text) for text in (title, *references))


def test_what_is_recalled_was_said_of_the_topic_asked_about():
    for input, output in pairs("bind", 60):
        said, _, noun = input.removeprefix(f"{ASK_TOPIC} i say ").partition(" . ")
        items = dict(item.split(" ") for item in said.split(" , "))
        topics = [TOPIC_OF[word] for word in items]
        assert 2 <= len(set(topics)) == len(topics) <= 4
        (asked,) = [word for word in items if TOPIC_OF[word] == TOPIC_OF[noun.strip('"')]]
        assert output == f"{TOPIC_OF[asked]} {items[asked]}"


def test_of_two_items_that_of_the_field_decides_but_for_noise():
    right, rival = [], []
    for input, output in pairs("pair", 200):
        items, title, references = parts(input)
        tools = {topic_of(item): SCHOOL_OF[item.split()[1]] for item in items}
        assert len(tools) == len(items) == 2
        schools = [SCHOOL_OF[reference.rpartition(" : ")[2]] for reference in references]
        cited = schools[int(output[1]) - 1]
        right.append(tools.pop(topic_of(title)) == cited)
        rival.append(set(tools.values()) == set(schools) - {cited})
    assert sum(right) / len(right) > 0.85
    assert sum(rival) / len(rival) > 0.5


def test_explained_items_are_answered_by_the_taste_in_words():
    for input, output in pairs("pair explained", 40):
        assert input.startswith(f"{ASK_TASTE} i say ")
        assert output.endswith(" .")


@pytest.mark.parametrize("drill", ["by topic", "short by topic"])
def test_every_topic_is_shown_as_often(drill):
    for input, _ in pairs(drill, 60):
        items, title, references = parts(input)
        topics = [topic_of(item) for item in items]
        assert len(set(topics)) == 4
        assert len({topics.count(topic) for topic in topics}) == 1
        assert {topic_of(reference) for reference in references} == {topic_of(title)} < set(topics)
