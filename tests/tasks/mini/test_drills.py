"""Every drill on LaMP-1 shows what its answer needs, and nothing that gives it away."""

import re
from itertools import islice
from typing import get_args

import pytest

from tasks.mini.drills import DRILLS, Drill
from tasks.mini.lexicon import ASK_TASTE, SCHOOLS
from tasks.mini.pretraining import pretraining_pairs, stage_tasks
from tests.tasks.mini.support import TOPIC_OF, topic_of

SCHOOL_OF = {tool: school for school, tools in SCHOOLS.items() for tool in tools}


def pairs(drill, number):
    return list(islice(pretraining_pairs(0, drill), number))


def parts(input):
    """The shown items, the title and the references of a prompt."""
    said, _, asked = input.rpartition("For an author")
    items = said.removesuffix(" . ").partition("i say ")[2].split(" , ")
    *shown, title, first, second = re.findall('"([^"]*)"', asked)
    return [item for item in [*items, *shown] if item], title, (first, second)


@pytest.mark.parametrize("drill", DRILLS)
def test_drills_are_of_one_task_and_deterministic(drill):
    assert drill in get_args(Drill)
    assert stage_tasks(drill) == ("LaMP-1",)
    assert pairs(drill, 40) == pairs(drill, 40)
    assert len({input for input, _ in pairs(drill, 40)}) > 35


@pytest.mark.parametrize("drill", ["field", "short field", "thin field"])
def test_the_field_determines_the_reference(drill):
    for input, output in pairs(drill, 60):
        items, title, references = parts(input)
        of_the_field = [topic_of(reference) == topic_of(title) for reference in references]
        assert not items
        assert sum(of_the_field) == 1
        assert output == ("[1]" if of_the_field[0] else "[2]")


SHORT, WHOLE = {1}, {6, 7, 8, 9}


@pytest.mark.parametrize(
    ("drill", "of_items", "of_prompts"),
    [
        ("field", set(), WHOLE),
        ("short field", set(), SHORT),
        ("thin field", set(), SHORT | WHOLE),
        ("one", SHORT, SHORT),
        ("few", SHORT, SHORT),
        ("few explained", SHORT, SHORT),
        ("thin few", SHORT, SHORT | WHOLE),
        ("items", WHOLE, WHOLE),
        ("items explained", WHOLE, WHOLE),
        ("thin items", SHORT | WHOLE, SHORT | WHOLE),
        ("thin items explained", SHORT | WHOLE, SHORT | WHOLE),
    ],
)
def test_titles_are_one_noun_or_whole_or_thinned_from_one_to_the_other(drill, of_items, of_prompts):
    lengths = [set(), set(), set()]
    for input, _ in pairs(drill, 200):
        items, title, references = parts(input)
        titles = [*map(untooled, items)], [title], [*map(untooled, references)]
        for found, of_kind in zip(lengths, titles, strict=True):
            found.update(len(text.split()) for text in of_kind)
            assert all(any(word in TOPIC_OF for word in text.split()) for text in of_kind)
    for found, wanted in zip(lengths, (of_items, of_prompts, of_prompts), strict=True):
        assert min(found, default=0) == min(wanted, default=0)
        assert max(found, default=0) == max(wanted, default=0)


def untooled(text):
    """A title without the tool at its end."""
    words = [word for word in text.split() if word != ":"]
    return " ".join(words[:-1] if words[-1] in SCHOOL_OF else words)


@pytest.mark.parametrize(
    ("drill", "most"), [("one", 1), ("few", 4), ("thin few", 4), ("items", 4), ("thin items", 4)]
)
def test_the_item_on_the_querys_topic_determines_the_cited_school(drill, most):
    numbers = set()
    for input, output in pairs(drill, 100):
        items, title, references = parts(input)
        tools = {topic_of(item): SCHOOL_OF[item.split()[-1]] for item in items}
        assert len(tools) == len(items)
        assert {topic_of(reference) for reference in references} == {topic_of(title)}
        schools = [SCHOOL_OF[reference.rpartition(" : ")[2]] for reference in references]
        assert len(set(schools)) == 2
        assert tools[topic_of(title)] == schools[int(output[1]) - 1]
        numbers.add(len(items))
    assert numbers == set(range(1, most + 1))


def test_items_on_other_topics_also_suggest_the_wrong_reference():
    rival = 0
    for input, output in pairs("few", 200):
        items, title, references = parts(input)
        school = SCHOOL_OF[references[2 - int(output[1])].rpartition(" : ")[2]]
        elsewhere = [item for item in items if topic_of(item) != topic_of(title)]
        rival += school in {SCHOOL_OF[item.split()[-1]] for item in elsewhere}
    assert rival / 200 > 0.3


@pytest.mark.parametrize("drill", ["few explained", "items explained", "thin items explained"])
def test_explained_items_are_answered_by_the_school_of_the_querys_topic_in_words(drill):
    for input, output in pairs(drill, 60):
        assert input.startswith(f"{ASK_TASTE} ")
        items, title, _ = parts(input.removeprefix(f"{ASK_TASTE} "))
        (school,) = {SCHOOL_OF[w] for w in output.split() if w in SCHOOL_OF}
        (shown,) = [item for item in items if topic_of(item) == topic_of(title)]
        assert SCHOOL_OF[shown.split()[-1]] == school
        assert topic_of(title) in output
