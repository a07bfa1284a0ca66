"""Load stored results into pandas.

bench run mini-limits -t LaMP-3
python docs/examples/load_results.py
"""

import bench

results = bench.load_results()
errors = results[results["metric"] == "mae"]
print(errors.pivot_table("value", index="method", columns="task").round(3))
