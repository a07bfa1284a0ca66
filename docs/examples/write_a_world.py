"""Write a small LaMP-mini world, and look at one of its users.

The limits next to the official files hold what someone who knows the user's taste would answer,
and the best answer without knowing the user.
"""

import json
import tempfile
from pathlib import Path

from tasks.mini.world import WorldConfig, write_world

with tempfile.TemporaryDirectory() as folder:
    write_world(Path(folder), WorldConfig(users=5, seed=3), tasks=["LaMP-7"], splits=["time"])
    dev = Path(folder) / "time/LaMP_7/dev"
    question = json.loads((dev / "dev_questions.json").read_text())[0]
    golds = json.loads((dev / "dev_outputs.json").read_text())["golds"]
    limits = json.loads((dev / "dev_limits.json").read_text())

print("query:     ", question["input"])
print("history:   ", question["profile"][-1]["text"])
print("gold:      ", {gold["id"]: gold["output"] for gold in golds}[question["id"]])
print("user-blind:", limits["user-blind"][question["id"]])
