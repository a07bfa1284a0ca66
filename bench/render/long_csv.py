"""The table as CSV in long form."""

from bench.tables import Table, to_frame


def to_csv(table: Table) -> str:
    """One line per score, always with its intervals and denominators."""
    return to_frame(table).to_csv(index=False, float_format="%.6f", lineterminator="\n")
