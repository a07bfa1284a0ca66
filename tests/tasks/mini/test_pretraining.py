"""Pretraining data is infinite, deterministic, and disjoint from every world."""

from itertools import islice

import pytest

from tasks.mini.lexicon import ASK_TASTE, TRAITS
from tasks.mini.life import Side
from tasks.mini.pretraining import corpus, positive_pairs, pretraining_pairs
from tasks.mini.prompts import WordTokenizer
from tasks.mini.world import WorldConfig, write_world
from tests.tasks.mini.support import BY_NAME, NAMES, load, topic_of

STAGES = [
    "stated", "hinted", "brief", "clear", "demonstrations", "uniform", "local", "explained", "plain",
    "population", "everything",
]  # fmt: skip


def pairs(stage, number, seed=0):
    return list(islice(pretraining_pairs(seed, stage), number))


def task_of(input):
    """The task's name and the query of the official prompt at the end of an input."""
    for name in NAMES:
        task = BY_NAME[name].task
        lead = "For an author" if name == "LaMP-1" else task.lead
        if lead in input:
            return name, input[input.rindex(lead) :]
    raise AssertionError(input)


@pytest.mark.parametrize("stage", STAGES)
def test_the_same_seed_gives_the_same_pairs(stage):
    assert pairs(stage, 30) == pairs(stage, 30)
    assert not set(pairs(stage, 30)) & set(pairs(stage, 30, seed=1))
    assert [task_of(input)[0] for input, _ in pairs(stage, 12)] == [
        "LaMP-1", "LaMP-2", "LaMP-3", "LaMP-4", "LaMP-5", "LaMP-7",
    ] * 2  # fmt: skip


def test_stated_tastes_precede_the_official_prompt():
    for input, output in pairs("stated", 120):
        name, prompt = task_of(input)
        stated = input.removesuffix(prompt)
        assert stated.endswith(" . ")
        assert BY_NAME[name].task.query(prompt)
        if name == "LaMP-4":
            assert ("the case is title" in stated) == (output == output.title())
            assert ("the form is question" in stated) == output.endswith("?")
        if name == "LaMP-7" and "for with i say w " in stated:
            assert " with " not in output


def test_demonstrations_are_official_profile_prompts():
    for input, output in pairs("demonstrations", 120):
        assert output
        assert WordTokenizer().count(input) <= 200
        name, prompt = task_of(input)
        if name == "LaMP-2":
            shown = input.removesuffix(prompt).count("the tag for the movie: ")
            assert 1 <= shown <= 6


def test_hints_of_movie_tastes_do_not_contain_the_answer():
    """They name tags of the right kinds; by chance, one in three is the fitting tag."""
    hinted = [pair for pair in pairs("hinted", 600) if task_of(pair[0])[0] == "LaMP-2"]
    held = [output in input.removesuffix(task_of(input)[1]) for input, output in hinted]
    assert 0.1 < sum(held) / len(held) < 0.6
    stated = [pair for pair in pairs("stated", 600) if task_of(pair[0])[0] == "LaMP-2"]
    held = [output in input.removesuffix(task_of(input)[1]) for input, output in stated]
    assert sum(held) / len(held) > 0.75


def test_demonstrations_of_one_taste_show_the_answers_casing():
    """Except for noise: a shown title may have another style."""
    alike = []
    for input, output in pairs("uniform", 300):
        name, prompt = task_of(input)
        if name == "LaMP-4" and input != prompt:
            shown = input.removesuffix(prompt).split('" is the title for')[0].lstrip('"')
            alike.append((shown == shown.lower()) == (output == output.lower()))
    assert len(alike) > 30
    assert sum(alike) / len(alike) > 0.85


def test_clear_reviews_name_no_trait():
    """Brief reviews may name one, and liking it or not then shifts the score."""

    def reviews_with_traits(stage):
        reviews = [input for input, _ in pairs(stage, 300) if task_of(input)[0] == "LaMP-3"]
        return [bool(set(input.split()) & set(TRAITS)) for input in reviews]

    assert len(reviews_with_traits("clear")) == 50
    assert not any(reviews_with_traits("clear"))
    assert sum(reviews_with_traits("brief")) > 25


def test_explained_demonstrations_are_answered_by_the_taste_in_words():
    for input, output in pairs("explained", 60):
        assert input.startswith(f"{ASK_TASTE} ")
        assert output.endswith(" .")
        assert task_of(input)[1] in input


def test_the_populations_answer_does_not_depend_on_the_user():
    for input, output in pairs("population", 120):
        name, prompt = task_of(input)
        assert input == prompt
        if name == "LaMP-3":
            assert output in "12345"
    tweets = [pair for pair in pairs("population", 600) if task_of(pair[0])[0] == "LaMP-7"]
    openers = {output.split()[0] for input, output in tweets if output.split()[0] not in input}
    random = [pair for pair in pairs("plain", 600) if task_of(pair[0])[0] == "LaMP-7"]
    assert len(openers) <= 1 < len({o.split()[0] for i, o in random if o.split()[0] not in i})


def test_tasks_alternate_as_often_as_they_are_named():
    rows = islice(pretraining_pairs(0, "plain", tasks=("LaMP-2", "LaMP-2", "LaMP-7")), 6)
    names = [task_of(input)[0] for input, _ in rows]
    assert names == ["LaMP-2", "LaMP-2", "LaMP-7"] * 2


def test_everything_includes_plain_prompts():
    kinds = [task_of(input)[1] == input for input, _ in pairs("everything", 300)]
    plain = [
        input for input, _ in pairs("everything", 300) if input.startswith("What is the score")
    ]
    assert plain
    assert 60 < sum(kinds) < 220


def test_no_text_of_a_world_is_ever_pretrained_on(tmp_path):
    write_world(tmp_path, WorldConfig(users=30, train_queries=1), splits=["time"])
    for name in NAMES:
        for example in load(tmp_path, name, "train").examples:
            text = example.subject if name == "LaMP-1" else example.query
            assert Side.WORLD.owns(text)
            assert not Side.PRETRAINING.owns(text)
    for stage in STAGES:
        for input, _ in pairs(stage, 60):
            name, prompt = task_of(input)
            task = BY_NAME[name].task
            if name != "LaMP-1":  # its demonstrations are inside the prompt
                assert Side.PRETRAINING.owns(task.query(prompt))


def test_positive_pairs_share_a_topic_or_a_taste():
    for first, second in islice(positive_pairs(0, "topic"), 60):
        assert topic_of(first) == topic_of(second)  # LaMP-1: of the author's own title
    titles = [
        pair
        for number, pair in enumerate(islice(positive_pairs(0, "taste"), 600))
        if number % 6 == 3
    ]
    same = sum(first.split()[0] == second.split()[0] for first, second in titles)
    assert same > 0.5 * len(titles)
    assert list(islice(positive_pairs(0, "taste"), 12)) == list(
        islice(positive_pairs(0, "taste"), 12)
    )


def test_corpus_is_plain_text():
    texts = list(islice(corpus(0), 180))
    assert texts == list(islice(corpus(0), 180))
    assert all(text.strip() for text in texts)
    assert len(set(texts)) > 110
