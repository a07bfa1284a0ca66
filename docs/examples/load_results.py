"""Load a suite's stored results into pandas.

bench run mini-limits -t LaMP-3
python docs/examples/load_results.py
"""

import bench

results = bench.load_results(suite="mini-limits")
primary = results[results["primary"]]  # each task's primary metric
print(primary.pivot_table("value", index="method", columns="task").round(3))

by_history = bench.load_slices("history", suite="mini-limits")
print(by_history.pivot_table("value", index="method", columns=["order", "part", "n"]).round(3))

papers = bench.load_published()  # never in one table with measured numbers
print(papers[papers["task"] == "LaMP-3"].head())
