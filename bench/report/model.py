"""What a report's figures are before they are drawn: panels, and how to read them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

Draw = Callable[[Any], None]
"""Draws on a `Canvas`, which knows series and so can't be named here."""


@dataclass(frozen=True)
class Series:
    """A row of the table as the figures show it.

    Attributes:
        name: its method, with its models and budget where the table has several.
        index: its place among the rows that are drawn; decides colour and marker everywhere.
        bound: whether it is an upper or lower bound, drawn as a line in the background.
    """

    name: str
    index: int
    bound: bool = False


@dataclass(frozen=True)
class Panel:
    """One set of axes.

    Attributes:
        title: the task, say.
        draw: draws it.
        data: the same content as a table, the text alternative: header, then rows.
        size: width and height in inches.
        note: a line below it.
    """

    title: str
    draw: Draw
    data: Sequence[Sequence[str]]
    size: tuple[float, float] = (4.4, 3.2)
    note: str = ""


@dataclass(frozen=True)
class View:
    """The panels of a figure for one choice, such as one kind of cost."""

    name: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Figure:
    """One figure of a report.

    Attributes:
        kind: its name for `bench plot --kind`, and its anchor on the page.
        title: what it answers.
        reading: how to read it.
        views: at least one; a reader chooses among several.
        series: what its legend names; empty where every mark is labelled in the panels.
    """

    kind: str
    title: str
    reading: str
    views: tuple[View, ...]
    series: tuple[Series, ...] = field(default=())
