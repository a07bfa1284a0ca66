"""Time and memory of a cell."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from bench.records import PeakBytes, Seconds

SAMPLE_SECONDS = 0.05


class PhaseTimer:
    """Wall-clock seconds of the phases "load", "fit" and "predict"."""

    def __init__(self) -> None:
        self._spent: dict[str, float] = {}

    @contextmanager
    def time(self, phase: str) -> Iterator[None]:
        """Time the block as `phase`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self._spent[phase] = round(time.perf_counter() - start, 3)

    def seconds(self) -> Seconds:
        """All phases; each must have been timed."""
        return Seconds(**self._spent)


class PeakMemory:
    """The highest resident memory of this process (and of the GPU) while the block ran.

    Sampled 20 times a second: a shorter peak can be missed.
    """

    def __enter__(self) -> Self:
        import psutil
        import torch

        self._process, self._stop = psutil.Process(), threading.Event()
        self._resident = self._process.memory_info().rss
        self._gpu: int | None = None
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def _sample(self) -> None:
        while not self._stop.wait(SAMPLE_SECONDS):
            self._resident = max(self._resident, self._process.memory_info().rss)

    def __exit__(self, *_: object) -> None:
        import torch

        self._stop.set()
        self._thread.join()
        self._resident = max(self._resident, self._process.memory_info().rss)
        if torch.cuda.is_available():
            self._gpu = torch.cuda.max_memory_allocated()

    def peak_bytes(self) -> PeakBytes:
        """The peaks, once the block has ended."""
        return PeakBytes(resident=self._resident, gpu=self._gpu)
