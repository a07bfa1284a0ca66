"""published.csv: one line per number of a paper, with the terms it was measured on."""

from importlib.resources import files

import pandas as pd

FILE = files("bench.published") / "published.csv"
COLUMNS = {
    "paper": "string",
    "arxiv": "string",
    "table": "Int64",
    "split": "string",
    "set": "string",
    "n": "Int64",
    "task": "string",
    "metric": "string",
    "method": "string",
    "llm": "string",
    "encoder": "string",
    "k": "Int64",
    "max_input_tokens": "Int64",
    "terms": "string",
    "value": "float64",
}
"""Column → its pandas type."""


def load_published() -> pd.DataFrame:
    """Every published number, one line each. None of them was measured by this project.

    >>> published = load_published()
    >>> row = published[(published.method == "pplug") & (published.task == "LaMP-1")].iloc[0]
    >>> row.paper, row.arxiv, int(row.table), row.set, float(row.value)
    ('PPlug', '2409.11901v2', 1, 'dev', 0.68)

    Columns:

    - paper, arxiv, table: where the number stands: "RSPG" is the paper of ROPG and RSPG.
    - split, set, n: LaMP's split, its set, and the queries of that set.
    - task, metric, value: in the units of `load_results`: accuracy, F1 and ROUGE in [0, 1], errors
      in stars.
    - method: the name that this project gives the paper's method, such as "dense" for Contriever's
      retrieval and "peft-icitir" for the fine-tuned LLM of each user.
    - llm, encoder: hub names; encoder is missing where the paper uses none or doesn't state it.
    - k: items in the prompt; missing where there are none.
    - max_input_tokens: the prompt budget; missing where the paper doesn't state it.
    - terms: what was trained, and where a number was copied from.
    """
    with FILE.open("r", encoding="utf-8") as file:
        return pd.read_csv(file, dtype=COLUMNS)
