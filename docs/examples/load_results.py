"""Load a suite's stored results into pandas.

bench run mini-limits -t LaMP-3
python docs/examples/load_results.py
"""

import bench

results = bench.load_results(suite="mini-limits")
primary = results[results["primary"]]  # each task's primary metric
print(primary.pivot_table("value", index="method", columns="task").round(3))
