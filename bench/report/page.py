"""The page: one HTML file with its style, its script and its data inside, and no network."""

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from bench.render.sheets import Sheet
from bench.report.charts.canvas import key_of
from bench.report.charts.inline import draw_inline
from bench.report.charts.markers import draw_marker
from bench.report.model import Figure, Panel
from bench.report.scoreboard import Scoreboard

TEMPLATES = files("bench.report") / "templates"

LABELS = {
    "forest": "Differences",
    "pareto": "Cost",
    "dial": "Dial",
    "cold-start": "New users",
}
"""Kind of figure → its name in the page's menu."""


@dataclass(frozen=True)
class Content:
    """All that the page shows.

    Attributes:
        title, about: of the suite.
        facts: what was compared.
        answer: three sentences.
        caveats: what to know before quoting it.
        board: the scores at the top.
        figures, sheets, notes: as in the table and the figures.
        confidence: of every interval, such as .95.
        reference: the method that differences are taken to.
        examples: what the script reads; None where the texts are left out, and `without` says why.
    """

    title: str
    about: str
    facts: Sequence[tuple[str, str]]
    answer: Sequence[str]
    caveats: Sequence[str]
    board: Scoreboard
    figures: Sequence[Figure]
    sheets: Sequence[Sheet]
    notes: Sequence[str]
    confidence: float
    reference: str
    examples: dict[str, Any] | None
    without: str = ""


def render(content: Content) -> str:
    """The page as HTML. What users wrote is escaped: no name or text becomes markup or script."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["svg"] = _draw
    environment.filters["marker"] = lambda series: Markup(draw_marker(series))  # noqa: S704  our own SVG
    environment.filters["key"] = key_of
    environment.filters["emphasize"] = emphasize
    script, style = _read("report.js"), _read("report.css")
    html = environment.from_string(_read("page.html")).render(
        content=content,
        labels=LABELS,
        names=[line.name for line in content.board.lines],
        style=Markup(style),  # noqa: S704  a file of this package
        script=Markup(script),  # noqa: S704  likewise
        script_hash=_hash(script),
        data=None if content.examples is None else _to_json(content.examples),
    )
    # A lone surrogate in a text can't be encoded: it is shown as "?".
    return html.encode("utf-8", "replace").decode("utf-8")


def emphasize(sentence: str, names: Sequence[str]) -> Markup:
    """A sentence as HTML with the rows' names in bold; the longest name wins where several fit."""
    longest_first = sorted(filter(None, names), key=len, reverse=True)
    pattern = "|".join(map(re.escape, longest_first))
    parts = re.split(rf"(?<![\w-])({pattern})(?![\w-])", sentence) if pattern else [sentence]
    return Markup().join(
        Markup("<b>{}</b>").format(part) if number % 2 else part
        for number, part in enumerate(parts)
    )


def _read(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _draw(panel: Panel, name: str) -> Markup:
    return Markup(draw_inline(panel, name))  # noqa: S704  serialised by an XML library


def _to_json(data: dict[str, Any]) -> Markup:
    """JSON in which no "</script>" can stand."""
    return htmlsafe_json_dumps(
        data, dumps=lambda d, **_: json.dumps(d, ensure_ascii=False, separators=(",", ":"))
    )


def _hash(script: str) -> str:
    """What the page's policy names its one script by; no other one runs."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
