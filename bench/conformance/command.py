"""`bench check`: every conformance check on one method, on generated data and tiny models."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.conformance.runner import check
from bench.conformance.subject import CheckResult
from bench.conformance.tiny_runtime import tiny_runtimes
from bench.rows import resolve_options
from bench.settings import Settings
from methods import METHODS
from tasks import TASKS
from tasks.data.loading import load_dataset
from tasks.sample.writer import write_sample

TRAIN_EXAMPLES, DEV_EXAMPLES = 8, 6


def check_method(
    settings: Settings, variant: str, tasks: Sequence[str] = ()
) -> Iterator[tuple[str, CheckResult]]:
    """Yield (task, result) of every check on a variant, for each task that it applies to.

    Raises ConfigError for an unknown method, variant or task.
    """
    name, options = resolve_options(settings, variant)
    method = METHODS.get(name)
    with tempfile.TemporaryDirectory(prefix="bench-check-") as place:
        root = Path(place)
        write_sample(root / "data")
        for task_name in tasks or TASKS.names():
            task = TASKS.get(task_name)()
            if not method.applicable(type(task)):
                if tasks:  # named on the command line: say why nothing is checked
                    yield (
                        task_name,
                        CheckResult(
                            "registration", passed=True, detail="not applicable", skipped=True
                        ),
                    )
                continue
            data, make_runtime = root / "data", tiny_runtimes(task, root)
            train = load_dataset(task, data, split="time", set="train", limit=TRAIN_EXAMPLES)
            dev = load_dataset(task, data, split="time", set="dev", limit=DEV_EXAMPLES)
            results = check(
                name, options, task=task, train=train, dev=dev, make_runtime=make_runtime
            )
            yield from ((task_name, result) for result in results)
