"""The table as CSV in long form."""

from bench.tables import Table, to_frame


def to_csv(table: Table, *, costs: bool = False) -> str:
    """One line per score, always with its intervals and denominators; `costs` as in `to_frame`."""
    frame = to_frame(table, costs=costs)
    return frame.to_csv(index=False, float_format="%.6f", lineterminator="\n")
