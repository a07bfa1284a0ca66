"""A finished suite whose outcome is known, with names and texts that try to be markup."""

import json
from pathlib import Path

from tests.bench.probes import PROBES
from tests.bench.support import Project, items
from tests.tasks.support import review, write_set

ATTACK = "</script><script>window.attacked = 1</script><img src=x onerror='window.attacked = 1'>"
"""Would run in a page that took it for markup."""
USERS = 12
"""Each asks two queries; user n has n items in the history."""
ODD = '<img src=x onerror=alert(1)> & "quoted"'
"""A method's name."""
LONG = "w" * 90
"""A word as wide as two phones."""
BENCH_TOML = """
default_suite = "s"
[store]
runs = "runs"
cache = "cache"
[data.tiny]
root = "data"
"""
SUITE = """
[suites.s]
about = "A suite <i>about</i> itself {long}"
data = "tiny"
tasks = ["LaMP-3"]
methods = {methods}
reference = "wrong"
"""


def make_report_project(root: Path) -> Project:
    """`right` is always right, `wrong` says 1 and fails once, ODD is right where `wrong` is not.

    `reads` answers 4 and shows items of the history, with weights; `blind` is a bound.
    """
    (root / "data").mkdir(parents=True)
    project = Project(root)
    project.config.write_text(BENCH_TOML, encoding="utf-8")
    ids = [f"q{n}" for n in range(2 * USERS)]
    golds = {id: str(2 + n % 4) for n, id in enumerate(ids)}
    asked = [
        review(id, f"Review {id} {ATTACK if n == 0 else ''}", items(name, n // 2), user_id=name)
        for n, id in enumerate(ids)
        for name in [f"user {n // 2} <i>"]
    ]
    folder = root / "data" / "time" / "LaMP_3"
    write_set(folder / "dev", asked, golds)
    train = [review(f"t{n}", "Train.", items("t", 2), user_id=f"t{n}") for n in range(4)]
    write_set(folder / "train", train, {f"t{n}": "5" for n in range(4)}, set="train")
    project.says("right", golds, probe="Fixed")
    project.says("wrong", {id: None if id == "q3" else "1" for id in ids}, probe="Fixed")
    project.says("blind", dict.fromkeys(ids, "3"), probe="Bounds")
    project.says("reads", dict.fromkeys(ids, "4") | {"q1": ATTACK}, probe="Reads")
    said = project.config.read_text(encoding="utf-8")
    odd = f'[methods.{json.dumps(ODD)}]\nmethod = "{PROBES}:Fixed"\nanswers = '
    answers = ", ".join(f'{id} = "{golds[id]}"' for id in ids)
    methods = json.dumps(["blind", "wrong", "right", "reads", ODD])
    project.config.write_text(
        f"{said}\n{odd}{{ {answers} }}\n{SUITE.format(methods=methods, long=LONG)}",
        encoding="utf-8",
    )
    return project
