"""Figures: who is on the front, and what an inline panel's SVG holds."""

import re

import pytest

from bench.report.charts.canvas import PALETTE, color_of, marker_of
from bench.report.charts.inline import draw_inline
from bench.report.charts.markers import draw_marker
from bench.report.charts.pareto import find_front
from bench.report.model import Panel, Series


def test_the_front_holds_what_no_other_point_beats_at_its_price():
    points = [(1, 0.5), (2, 0.4), (3, 0.7), (3, 0.6), (5, 0.7), (1, 0.5)]
    assert find_front(points) == [True, False, True, False, False, True]


def test_colour_and_marker_together_differ_for_forty_series():
    looks = {(color_of(s), marker_of(s)) for s in (Series(str(n), n) for n in range(40))}
    assert len(looks) == 40
    assert len(PALETTE) == 10


@pytest.mark.parametrize("index", range(10))
def test_every_marker_has_a_drawing(index):
    assert f"var(--s{index})" in draw_marker(Series("a", index))


@pytest.fixture(scope="module")
def drawn():
    series = Series("a & <b> $x$", 0)

    def draw(canvas):
        line = canvas.axes.plot([0, 1], [2, 3], color=color_of(series))[0]
        canvas.axes.set_xlabel("cost in $ and $")
        canvas.tag(line, series=series, tip=f"{series.name}: 3")

    return [draw_inline(Panel("LaMP-3", draw, [("a",), ("1",)]), name) for name in ("p1", "p2")]


def test_marks_carry_their_series_and_what_to_show(drawn):
    assert 'data-series="s0"' in drawn[0]
    assert "<title>a &amp; &lt;b&gt; $x$: 3</title>" in drawn[0]


def test_text_stays_text_and_names_are_no_formulas(drawn):
    assert re.search(r"<text[^>]*>cost in \$ and \$</text>", drawn[0])


def test_colours_follow_the_page(drawn):
    assert "var(--s0)" in drawn[0]
    assert not re.search(r"#[0-9a-f]{6}\b", drawn[0])


def test_ids_are_unique_on_the_page_and_all_references_lead_somewhere(drawn):
    ids = re.findall(r'\bid="([^"]+)"', "".join(drawn))
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"url\(#([^)]+)\)|href=\"#([^\"]+)\"", drawn[0])) <= {
        pair for id in ids for pair in ((id, ""), ("", id))
    }
