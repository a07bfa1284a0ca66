"""The table of docs/statistics.md, from simulated coverage."""

import pandas as pd
from forms import REFERENCE, write_lines


def write_coverage() -> str:
    """How often simulated intervals held the truth and tests rejected it, over all settings."""
    found = pd.read_csv(REFERENCE / "coverage.csv")
    heads = ["seeds, training", "coverage of 95% intervals", "bootstrap"]
    heads += ["rejection where nothing differs", "bootstrap"]
    rows = []
    for label, seeds, training in (
        ("untrained rows", 1, 0.0),
        ("3 seeds, small effect", 3, 0.1),
        ("3 seeds, large effect", 3, 0.3),
        ("5 seeds, small effect", 5, 0.1),
        ("5 seeds, large effect", 5, 0.3),
        ("1 seed, large effect", 1, 0.3),
    ):
        of = found[(found["seeds"] == seeds) & (found["training"] == training)]
        null = of[of["null"]]
        cells = [
            _percents(of["covered"]),
            _percents(of["bootstrap_covered"]),
            f"{_percents(null['rejected'])}, mean {null['rejected'].mean():.1%}",
            _percents(null["bootstrap_rejected"]),
        ]
        rows.append([label, *cells])
    return write_lines(heads, rows)


def _percents(shares: "pd.Series[float]") -> str:
    return f"{100 * shares.min():.1f} to {shares.max():.1%}"
