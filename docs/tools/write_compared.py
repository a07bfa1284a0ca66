"""Write what `bench compare` says of the pairs of rows that the docs speak of.

    python docs/tools/write_compared.py SUITE…

Reads the stored results of the project in the current folder, and writes compare.txt next to the
suite's other outcomes in results/reference.
"""

import sys
from pathlib import Path

from bench.compare import compare_methods, describe_pairs
from bench.grid import plan
from bench.settings import load_settings

REFERENCE = Path(__file__).parents[2] / "results/reference"
PLUG, PLUG_DENSE = "pplug-whitened", "pplug-whitened-dense"
FOLDERS = {
    "mini-full": "full",
    "mini-mixed": "mixed",
    "mini-ablations": "ablations",
    "mini-dial": "dial",
    "mini-plugs": "plugs",
    "real": "real",
}
SETTINGS = {"mini-full": ['tasks=["LaMP-3","LaMP-7"]']}
"""Of stored outcomes that are not a whole suite."""
PAIRS = {
    "mini-full": [
        (PLUG, "dense"),
        (PLUG, "bm25"),
        (PLUG, "pplug"),
        (PLUG, f"{PLUG}-mean"),
        (PLUG_DENSE, "dense"),
        (PLUG_DENSE, PLUG),
        (PLUG_DENSE, "oppu"),
        ("oppu", "dense"),
        ("ropg-kd-sharp", "dense"),
        ("ropg-rl-sharp", "dense"),
        ("rspg-pre-sharp", "dense"),
        ("rspg-post-sharp", "dense"),
        ("pag", "dense"),
        ("pag", "bm25"),
        ("rerank", "dense"),
        ("embedding-to-prefix", PLUG),
    ],
    "mini-mixed": [
        ("bm25", "dense"),
        (PLUG, "dense"),
        (PLUG, "bm25"),
        (PLUG_DENSE, "dense"),
        (PLUG_DENSE, PLUG),
    ],
    "mini-ablations": [
        (PLUG, f"{PLUG}-mean"),
        (PLUG, f"{PLUG}-no-instruction"),
        (PLUG, f"{PLUG}-frozen-encoder"),
        (PLUG, f"{PLUG}-top-4"),
        (PLUG, f"{PLUG}-4-tokens"),
        (PLUG, f"{PLUG}-recent"),
        (PLUG, f"{PLUG}-sharp"),
        (PLUG, "pplug-labels"),
    ],
    "mini-dial": [(PLUG, "dense"), ("bm25", "dense")],
    "mini-plugs": [
        (f"{PLUG}-learned-temperature", PLUG),
        (f"{PLUG}-sharp", PLUG),
        (f"{PLUG}-top-p", PLUG),
        (f"{PLUG}-learned-recency", PLUG),
        (f"{PLUG}-recent", PLUG),
        (f"{PLUG}-3-tokens", PLUG),
        (f"{PLUG}-views", PLUG),
        (f"{PLUG}-views", f"{PLUG}-3-tokens"),
        ("resampler-whitened", PLUG),
        ("tap-per-labels", PLUG),
    ],
    "real": [("pplug", "dense"), (PLUG, "dense"), (PLUG_DENSE, "dense")],
}


def write_compared(suite: str) -> None:
    """All pairs of a suite, each below the command that says the same."""
    settings = load_settings(Path("bench.toml"), SETTINGS.get(suite, []), suite)
    blocks = []
    for ours, theirs in PAIRS[suite]:
        grid = plan(settings, suite, methods=[ours, theirs], tasks=[])
        pairs = compare_methods(settings, grid, ours, theirs)
        command = f"$ bench compare {ours} {theirs} {suite}"
        blocks.append(f"{command}\n{describe_pairs(pairs)}\n\n")
    (REFERENCE / FOLDERS[suite] / "compare.txt").write_text("".join(blocks), encoding="utf-8")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        write_compared(name)
