"""Numbers that papers report, kept apart from measured ones."""

from bench.published.data import COLUMNS, load_published
from bench.published.section import Section, make_section

__all__ = ["COLUMNS", "Section", "load_published", "make_section"]
