"""The nearest author, against cosines worked out by hand."""

import math

import numpy as np
import pytest

from bench.texts import build_attribution, to_frame
from bench.texts.attribution import make_lineup
from bench.texts.authors import Authors
from bench.texts.reading import read_places
from tasks.common.errors import ConfigError
from tests.bench.texts.conftest import LETTERS


def build(project, *overrides, **options):
    settings, grid = project.load(*overrides, suite="x"), project.plan(*overrides, suite="x")
    return build_attribution(settings, grid, **options)


def table(project, *overrides, **options):
    return to_frame(build(project, *overrides, **options)).set_index(["method", "measure"])


def test_cosines_by_hand():
    """Of "aaaab" the 4-grams are aaaa and aaab, of "aaaac" aaaa and aaac.

    aaaa is in 2 of 3 documents: its weight is ln(4/3) + 1; aaab, aaac and bbbb are in one: ln 2 + 1.
    """
    authors = Authors(["aaaab", "aaaac", "bbbb"])
    common, rare = math.log(4 / 3) + 1, math.log(2) + 1
    length = math.hypot(common, rare)
    found = authors.compare(["aaaa", "aaab", "bbbb", "zzzz", ""])
    expected = [
        [common / length, common / length, 0],
        [rare / length, 0, 0],
        [0, 0, 1],
        [0, 0, 0],
        [0, 0, 0],
    ]
    assert found.tolist() == [pytest.approx(row, abs=1e-9) for row in expected]


def test_nearest_counts_ties_in_parts_and_failures_as_wrong():
    authors = Authors(["aaaab", "aaaac", "bbbb"])
    everyone = np.tile(np.arange(3), (5, 1))
    texts = ["aaab", "aaaa", "bbbb", "zzzz", None]
    found = authors.find_nearest(texts, np.zeros(5, dtype=int), everyone)
    # Alone in front; tied with one; last of three, with one tie; tied with all; failed.
    assert found.first.tolist() == pytest.approx([1, 1 / 2, 0, 1 / 3, 0])
    assert found.share.tolist() == pytest.approx([1, 3 / 4, 1 / 4, 1 / 2, 0])


def test_case_counts():
    authors = Authors(["Abcd", "abcd"])
    assert authors.compare(["Abcd"]).tolist() == [[1, 0]]


def test_values_by_hand(finished):
    """Every user writes with one letter of their own, so that copies are always recognized."""
    frame = table(finished)
    value = frame["value"].unstack()
    assert value.loc["gold"].tolist() == [1, 1, 0]  # nearer than others, own and swapped author
    # Another user's gold shares nothing with its user, who ties with the 10 others.
    assert value.loc["another user's gold", "own author"] == 0
    assert value.loc["another user's gold", "nearer than others"] == pytest.approx(5 / 11)
    # The same text for all shares nothing with anyone: 1 of 12, and half the others.
    assert value.loc["generic"].tolist() == pytest.approx([0.5, 1 / 12, 1 / 12])
    # 11 of 12 are right, the failed one is wrong.
    assert value.loc["copies"].tolist() == pytest.approx([11 / 12, 11 / 12, 0])
    copies = frame.loc["copies"]
    assert copies.loc["own author", "difference"] == pytest.approx(11 / 12)
    assert copies.loc["own author", "against"] == "swapped author"
    assert copies.loc["nearer than others", "difference"] == pytest.approx(11 / 12 - 1 / 2)
    assert copies.loc["nearer than others", "against"] == "generic"
    assert math.isnan(frame.loc["generic", "nearer than others"]["difference"])
    notes = build(finished).notes
    assert "LaMP-7: 12 candidates a text, chance 0.083" in notes


def test_distractors_are_those_nearest_to_the_query(finished):
    """No query shares anything with an author, so the nearest are the first ones by name."""
    (place,), _ = read_places(finished.load(suite="x"), finished.plan(suite="x"))
    lineup = make_lineup(place, 2)
    assert lineup.candidates[0].tolist() == [0, 1, 2]
    assert lineup.candidates[5].tolist() == [5, 0, 1]
    assert all(
        s in c and s != o
        for s, c, o in zip(lineup.swapped, lineup.candidates, lineup.own, strict=True)
    )
    assert table(finished, distractors=2)["value"].loc["generic", "own author"] == pytest.approx(
        1 / 3
    )
    assert build(finished, distractors=99).scores == build(finished).scores


def test_an_author_is_known_by_the_shortest_history_of_their_queries(finished):
    """A later history may hold the gold of an earlier query."""
    from dataclasses import replace

    (place,), _ = read_places(finished.load(suite="x"), finished.plan(suite="x"))
    first, second, third, *_ = place.examples
    gold = replace(first.history[0], id="later", content=place.golds[0])
    later = replace(second, user_id=first.user_id, history=(*first.history, gold))
    nobody = replace(third, history=())
    place = replace(place, examples=(first, later, nobody, *place.examples[3:]))
    lineup = make_lineup(place, None)
    assert (lineup.n_left_out, lineup.n_repeated, len(lineup.place.examples)) == (1, 0, 11)
    assert lineup.authors.n == len(LETTERS) - 2
    assert lineup.own[0] == lineup.own[1]
    assert {row.by_seed[0] == tuple(place.rows[1].by_seed[0][n] for n in (0, 1, *range(3, 12)))
            for row in lineup.place.rows[1:]} == {True}  # fmt: skip
    repeated = replace(place, golds=(first.history[0].content, *place.golds[1:]))
    assert make_lineup(repeated, None).n_repeated == 1


def test_the_command(finished, bench):
    done = bench("attribution", "x", "-t", "LaMP-7", "--distractors", "3")
    assert done.code == 0, done.err
    assert "LaMP-7: author attribution, n=12 u=12" in done.out
    assert "another user's gold" in done.out
    assert bench("attribution", "x", "--distractors", "0").code == 2
    done = bench("attribution", "x", "-f", "csv")
    assert done.out.startswith("task,method,llm")


def test_one_user_alone_is_no_lineup(project):
    project.run("evaluate_limit=1", suite="x")
    with pytest.raises(ConfigError, match="two users with past texts"):
        build(project, "evaluate_limit=1")
