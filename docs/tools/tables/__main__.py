"""Write the tables of README.md and docs/ from the stored outcomes in results/reference.

    python docs/tools/tables

A table stands between `<!-- table: NAME -->` and `<!-- end of table -->`; the tests compare each
one with what this script would write.
"""

import re
from functools import partial
from pathlib import Path

from forms import write_compared
from gpu import write_gpu_generation, write_gpu_training
from headline import write_choice, write_headline
from mini import write_mini_dial, write_mini_results, write_mini_seeds
from real import write_real, write_real_texts
from real_gpu import write_real_gpu, write_real_rates, write_real_seeds
from simulated import write_coverage
from when import write_by_cost, write_by_history

REPOSITORY = Path(__file__).parents[3]
PAGES = (REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md")))
BLOCK = re.compile(r"(<!-- table: (?P<name>\S+) -->\n).*?(<!-- end of table -->)", re.DOTALL)

TABLES = {
    "headline": write_headline,
    "choice": write_choice,
    **{f"real-{task}": partial(write_real, task) for task in ("LaMP-6", "LaMP-4", "LaMP-5")},
    "real-compare": partial(write_compared, "real"),
    "real-texts": write_real_texts,
    "real-gpu": write_real_gpu,
    "real-seeds": write_real_seeds,
    "real-rates": write_real_rates,
    "coverage": write_coverage,
    "mini-results": write_mini_results,
    "mini-seeds": write_mini_seeds,
    "mini-dial": write_mini_dial,
    **{
        f"mini-compare-{suite}": partial(write_compared, suite)
        for suite in ("full", "mixed", "ablations")
    },
    "when-history": write_by_history,
    "when-cost": write_by_cost,
    "gpu-training": write_gpu_training,
    "gpu-generation": write_gpu_generation,
}


def render(text: str) -> str:
    """`text` with every marked table written again."""
    return BLOCK.sub(lambda match: f"{match[1]}\n{TABLES[match['name']]()}\n\n{match[3]}", text)


def main() -> None:
    """Rewrite the pages that hold a table."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        if (new := render(text)) != text:
            page.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
