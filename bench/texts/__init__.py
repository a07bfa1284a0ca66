"""What generated texts are like, beside their scores: length, copying, and whose they resemble."""

from bench.texts.attribution import build_attribution
from bench.texts.build import build_texts
from bench.texts.model import TextScore, TextTable
from bench.texts.sheets import make_sheets, to_csv, to_frame

__all__ = [
    "TextScore",
    "TextTable",
    "build_attribution",
    "build_texts",
    "make_sheets",
    "to_csv",
    "to_frame",
]
