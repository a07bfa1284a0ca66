"""Scores of parts of the evaluated queries (by history length, label …), and curves over k."""

from bench.slices.build import build
from bench.slices.dimensions import DIMENSIONS
from bench.slices.frame import load_slices, to_csv, to_frame
from bench.slices.model import Part, SliceScore, SliceTable
from bench.slices.sheets import make_sheets

__all__ = [
    "DIMENSIONS",
    "Part",
    "SliceScore",
    "SliceTable",
    "build",
    "load_slices",
    "make_sheets",
    "to_csv",
    "to_frame",
]
