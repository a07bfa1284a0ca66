"""Tasks declared by a table: a CSV, TSV, JSONL or Parquet file, a row per text of a user.

config.py      the declaration, [tasks.NAME] of bench.toml
reading.py     file → cells, as text
rows.py        cells → rows, and what is wrong with them
times.py       dates in any form → an order
splitting.py   rows → queries of train, dev and test, with their histories
labels.py      the closed set of answers, listed or inferred
wording.py     default instruction and item template
task.py        declaration + rows → a Task class
data.py        its data sets, fingerprints and audit
guessing.py    which column is what, and the declaration to paste
"""
