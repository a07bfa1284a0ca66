"""Answers of real servers on loopback against the same weights here."""

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress

import pytest
import requests
from transformers.utils.import_utils import is_serve_available

WORDS = ("what", "score", "has", "the", "following", "review", "tag", "movie", "title", "paper")
PROMPTS = [" ".join(WORDS[(3 * i + j) % len(WORDS)] for j in range(5 + i)) for i in range(16)]
SECONDS_TO_START = 120


@contextmanager
def run_transformers_serve(model, log):
    """`transformers serve MODEL` on a free port: its endpoint, once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(model)]
    offline = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with (
        log.open("w") as written,
        subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            env=os.environ | offline,
            stdout=written,
            stderr=subprocess.STDOUT,
        ) as server,
    ):
        try:
            deadline = time.monotonic() + SECONDS_TO_START
            while time.monotonic() < deadline and server.poll() is None:
                with suppress(requests.ConnectionError):
                    if requests.get(f"http://127.0.0.1:{port}/health", timeout=5).ok:
                        break
                time.sleep(0.2)
            else:
                pytest.fail(f"transformers serve did not start:\n{log.read_text()[-2000:]}")
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.terminate()


@pytest.mark.skipif(
    not is_serve_available(), reason="needs transformers[serving], which extra `test` installs"
)
def test_transformers_serve_answers_as_the_same_weights_here(llama, local, open_served, tmp_path):
    expected = local.generate(PROMPTS, max_new_tokens=8, max_input_tokens=64)
    assert len({answer.text for answer in expected}) > 1
    with run_transformers_serve(llama, tmp_path / "serve.log") as endpoint:
        served = open_served(
            endpoint, model=str(llama), dialect="transformers", tokenizer=str(llama)
        )
        assert served.generate(PROMPTS, max_new_tokens=8, max_input_tokens=64) == expected
    assert served.description["answers"] == len(PROMPTS)
