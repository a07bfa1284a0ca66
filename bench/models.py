"""A run's models: opened at first use, kept open while successive cells share them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bench.data import Data
from bench.settings import Settings
from methods.models.processes import ALONE, Processes
from tasks import Task
from tasks.common.progress import Progress

if TYPE_CHECKING:
    from methods.models.encoder import Encoder
    from methods.models.interface import LLM


class Models:
    """Holds at most one LLM and one encoder in memory; a grid groups the cells that share one.

    Args:
        processes: that open the same models in the same order, to adapt them together.
    """

    def __init__(
        self, settings: Settings, progress: Progress, processes: Processes = ALONE
    ) -> None:
        self.settings, self.progress, self.processes = settings, progress, processes
        self._open: dict[str, tuple[tuple[Any, ...], Any]] = {}

    def close(self) -> None:
        """Forget the open models; the next use opens them again."""
        self._open.clear()

    def _reuse_or_open(self, kind: str, key: tuple[Any, ...], open: Callable[[], Any]) -> Any:
        if kind not in self._open or self._open[kind][0] != key:
            self._open.pop(kind, None)  # free its memory before the next one is loaded
            self._open[kind] = (key, open())
        return self._open[kind][1]

    def llm(self, name: str, data: Data, task: type[Task], seed: int) -> "LLM":
        """The LLM `name`, adapted to the task's train set where bench.toml asks for it."""
        from methods.models.opening import open_llm
        from methods.models.served.llm import ServedLLM

        def open() -> "LLM":
            return open_llm(
                self.settings.llm(name),
                task=task(),
                train=data.load(task, data.suite.train),
                seed=seed,
                cache=self.settings.store.cache,
                progress=self.progress,
                processes=self.processes,
            )

        config = self.settings.llm(name)
        key: tuple[Any, ...] = (name,)
        if config.adapt != "none" or config.scratch is not None:
            key = (name, task.name, data.fingerprint(task, data.suite.train), seed)
        found = self._reuse_or_open("llm", key, open)
        return found.recount() if isinstance(found, ServedLLM) else found

    def encoder(self, name: str) -> "Encoder":
        """The sentence encoder `name`."""
        from methods.models.encoder import Encoder

        config, cache = self.settings.encoder(name), self.settings.store.cache
        found: Encoder = self._reuse_or_open(
            "encoder", (name,), lambda: Encoder.open(config, cache=cache)
        )
        return found
