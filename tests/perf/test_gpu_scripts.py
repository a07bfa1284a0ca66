"""The GPU scripts, tried out with tiny models on whatever device there is: `make perf`."""

import json
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("command", "lines"),
    [
        ("gpu_speed t5-tiny --tiny --beams 1", 8),
        ("gpu_speed llama-tiny --tiny --micro-batch 2 --beams", 4),
        ("gpu_user_lora llama-tiny --tiny --dtype float32", 1),
        ("gpu_determinism --texts 8 --dtypes float32", 3),
    ],
)
def test_a_gpu_script_runs(command: str, lines: int) -> None:
    script, *options = command.split()
    result = subprocess.run(
        [sys.executable, "-m", f"tests.perf.{script}", *options],
        capture_output=True,
        text=True,
        check=True,
    )
    found = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    print(f"\n{found[-1]}")
    assert len(found) == lines
