"""Content keys of a suite's models, each found once for all cells of a plan."""

from bench.settings import Settings
from methods.models.config import LLMConfig
from tasks import Task


class Identities:
    """Remembers what identifies each model; a model that changes later is seen by the next plan."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._cache = settings, settings.store.cache
        self._llms: dict[tuple[object, ...], str] = {}
        self._encoders: dict[str, str] = {}

    def llm(self, name: str, task: type[Task], train: str, seed: int) -> str:
        """Of an LLM in bench.toml; `train` is the fingerprint of the task's train set.

        Raises ModelError where its folder, package or revision is wrong.
        """
        from methods.models.identity import identity_of

        config = self._settings.llm(name)
        key = (name, task.name, train, seed) if is_made_here(config) else (name,)
        if key not in self._llms:
            self._llms[key] = identity_of(
                config, task=task(), train_fingerprint=train, seed=seed, cache=self._cache
            )
        return self._llms[key]

    def encoder(self, name: str) -> str:
        """Of an encoder in bench.toml. Raises ModelError as `llm` does."""
        from methods.models.encoder import identity_of

        if name not in self._encoders:
            config = self._settings.encoder(name)
            self._encoders[name] = identity_of(config, cache=self._cache)
        return self._encoders[name]


def is_made_here(config: LLMConfig) -> bool:
    """Whether an LLM is made or adapted on a task's train set, so that each task has its own."""
    return config.scratch is not None or config.adapt != "none"
