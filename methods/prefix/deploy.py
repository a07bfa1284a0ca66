"""A trained plug outside the harness: open it and answer one user at a time."""

import tempfile
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import torch

from methods.cache.tensors import digest
from methods.cache.weights import read_description
from methods.core.controls import CONTROL
from methods.core.runtime import Runtime
from methods.models.config import EncoderConfig
from methods.models.embedding_memory import EmbeddingMemory
from methods.models.encoder import Encoder
from methods.models.interface import LLM
from methods.prefix.method import KIND, PrefixMethod
from methods.prefix.plug import Plug
from methods.prefix.user_state import Origin, Stored, UserState
from tasks import TASKS
from tasks.budget import LAMP, Budget
from tasks.common.errors import ConfigError, DataError, ModelError
from tasks.common.files import content_key
from tasks.common.seeds import Seeds
from tasks.example import Behavior, Example

TEMPORARY = Path(tempfile.gettempdir()) / "pplug-bench"
"""Cache and scratch of a deployed plug, which uses neither unless it is trained further."""


class InMemoryRuntime(Runtime):
    """A Runtime whose vectors stay in memory, so that no text of a user leaves a trace on disk."""

    @cached_property
    def embeddings(self) -> EmbeddingMemory:
        return EmbeddingMemory(self.encoder)


class DeployedPlug:
    """A trained plug and the frozen LLM it was trained for.

        plug = DeployedPlug.from_pretrained(plug_folder, load_llm(llm_folder))
        plug.respond(prompt, history)

    Attributes:
        method: the prefix method whose plug this is.
    """

    def __init__(self, method: PrefixMethod[Any]) -> None:
        self.method = method

    @classmethod
    def from_pretrained(
        cls,
        folder: Path | str,
        llm: LLM,
        *,
        encoder: Encoder | None = None,
        method: type[PrefixMethod[Any]] | None = None,
        cache: Path | None = None,
    ) -> Self:
        """Open a trained plug; a stored cell keeps it in its `model/`.

        Args:
            llm: the one that the plug was trained for; or a server's, with `served.weights` of
                it, which takes prompt embeddings.
            encoder: replaces the one that the plug names, for example if it has been moved; it
                must have the same weights.
            method: the plug's class; None: the registered method of the name that the plug records.
            cache: keeps the digests of large files; None: they are computed again.

        Raises:
            ModelError: there is no plug, or it is damaged, another method's, another LLM's or
                another encoder's.
            ConfigError: its method or task is unknown here.
        """
        folder = Path(folder)
        about = read_description(folder, KIND)
        if (folder / CONTROL).is_file():
            raise ModelError(
                "holds a control: it was trained on other users' histories",
                file=folder,
                hint="Open the plug of the method itself",
            )
        kind = method or _find_method(str(about.get("method")), folder)
        try:
            task = TASKS.get(about["task"])()
            config = kind.Config.model_validate(about["config"])
            budget = Budget(int(about["max_input_tokens"]), about.get("budget_rule", LAMP))
            named = about["encoder"] and EncoderConfig(**about["encoder"])
        except (KeyError, TypeError, ValueError) as error:  # pydantic's is a ValueError
            raise ModelError(
                f"does not describe a plug of the present {kind.name} ({error})",
                file=folder / f"{KIND}.json",
                hint="Open it with the version that trained it, or train it again",
            ) from error
        if encoder is None and named is not None:
            encoder = _open_encoder(named, llm, cache)
        runtime = InMemoryRuntime(
            task=task,
            seeds=Seeds.root(task.name),
            max_input_tokens=budget.tokens,
            budget_rule=budget.rule,
            cache=TEMPORARY / "cache",
            scratch=TEMPORARY / "scratch",
            open_llm=lambda: llm,
            open_encoder=None if encoder is None else lambda: encoder,
        )
        plug = kind(config, runtime)
        plug.load(folder)
        return cls(plug)

    def respond(self, input: str, history: Sequence[str | Behavior] | UserState) -> str:
        """The answer to one query of one user; no text or vector of the user is kept.

        Args:
            input: the task's official prompt, instruction included (methods.md §3a).
            history: oldest first: behaviours, or plain texts as retrievers index them (for LaMP-4,
                title and article); or the user's state, as this plug made it.

        Raises:
            DataError: input or history does not have the task's form.
            ModelError: the state was made by another plug or encoder.
        """
        session = self._session()
        if isinstance(history, UserState):
            self._check_origin(history)
            example = self._example(input, ())
            batch = history.batch(example, self.method.runtime.training_llm.device)
            with torch.no_grad():
                prefix = session.prefix(session.with_queries(batch)).cpu()
            (answer,) = session.text_side.answer([example], prefix=prefix)
        else:
            (answer,) = session.predict([self._example(input, self._behaviors(history))])
        if answer.text is None:
            raise DataError(
                f"there is no answer: {answer.error}", hint="Correct the input or history"
            )
        return answer.text

    def user_state(self, history: Sequence[str | Behavior]) -> UserState:
        """The vectors that `respond` takes instead of `history`, to store and export.

        Raises:
            ConfigError: the method or its text side needs the texts themselves.
            DataError: as `respond`.
        """
        session = self._session()
        stored = session.stored
        if stored is None:
            raise ConfigError(
                f"with these options no vectors of a user can replace the texts: {session.name} "
                "has no user part, or selects among the texts for each query",
                hint="Give the texts themselves to `respond`",
            )
        if self._reads_texts():
            raise ConfigError(
                f"the plug's text side {session.config.text!r} writes the user's texts into each "
                "prompt, so vectors alone are not enough",
                hint="Give the texts themselves to `respond`, or train a plug with "
                'text = "zero-shot"',
            )
        asked = Example("query", "user", "", "", "", self._behaviors(history))
        used = session.select_history([asked])
        session.histories.prepare(used)
        batch = session.histories.batch(used, session.runtime.training_llm.device)
        if stored is Stored.TOKENS:
            assert isinstance(session.plug, Plug)  # noqa: S101  only plugs store tokens
            with torch.no_grad():
                tokens = session.plug.user_tokens(batch)[0]
            return UserState.of(stored, tokens, None, self.origin)
        real = batch.mask[0]
        ages, elapsed = (
            None if times is None else times[0, real] for times in (batch.ages, batch.elapsed)
        )
        return UserState.of(stored, batch.vectors[0, real], ages, self.origin, elapsed)

    @cached_property
    def origin(self) -> Origin:
        """What the states made by this plug belong to."""
        method, encoder = self.method, self.method.embeddings.encoder
        return Origin(
            plug=self.fingerprint,
            method=method.name,
            task=method.task.name,
            encoder=encoder.identity,
            encoder_name=encoder.name,
        )

    @cached_property
    def fingerprint(self) -> str:
        """Content key of the trained weights and of what they belong to, whatever it is called."""
        method, runtime = self.method, self.method.runtime
        return content_key(
            {
                "method": method.key(method.config).to_json(),
                "task": [method.task.name, method.task.version],
                "llm": runtime.training_llm.weights,
                "encoder": runtime.encoder.identity if method.uses_encoder else None,
                "weights": digest(method.plug.state_dict()),
            }
        )

    def _session(self) -> PrefixMethod[Any]:
        """The same plug with an empty memory of texts, so that none of a user's outlives a call."""
        method, runtime = self.method, self.method.runtime
        session = type(method)(
            method.config,
            InMemoryRuntime(
                task=runtime.task,
                seeds=runtime.seeds,
                max_input_tokens=runtime.max_input_tokens,
                budget_rule=runtime.budget_rule,
                cache=runtime.cache,
                scratch=runtime.scratch,
                open_llm=lambda: runtime.llm,
                open_encoder=lambda: runtime.encoder,
            ),
        )
        session.plug = method.plug.eval()
        return session

    def _behaviors(self, history: Sequence[str | Behavior]) -> tuple[Behavior, ...]:
        """Texts or behaviours, oldest first, as behaviours."""
        if (
            not isinstance(history, Sequence)  # an iterator can be read only once
            or isinstance(history, str)
            or not all(isinstance(item, str | Behavior) for item in history)
        ):
            raise DataError(
                "the history is not a sequence of texts or behaviors",
                hint="Give a list of texts, oldest first, even for a single one",
            )
        if any(isinstance(item, str) for item in history) and (
            self.method.config.labels_in_history or self._reads_texts()
        ):
            raise DataError(
                "this plug also reads the user's responses, which plain texts don't have",
                hint="Give a list of tasks.Behavior(id, text, content, response)",
            )
        return tuple(
            Behavior(id=str(number), text=item, content=item) if isinstance(item, str) else item
            for number, item in enumerate(history)
        )

    def _example(self, input: str, history: tuple[Behavior, ...]) -> Example:
        task = self.method.task
        try:
            query, subject = task.query(input), task.subject(input)
        except ValueError as error:
            raise DataError(
                str(error), hint=f"Give {task.name}'s official prompt, instruction included"
            ) from error
        return Example("query", "user", input, query, subject, history)

    def _reads_texts(self) -> bool:
        """Whether the text side puts behaviours into the prompt."""
        text = self.method.text_side
        return type(text).is_personal(text.config)

    def _check_origin(self, state: UserState) -> None:
        made, own = state.origin, self.origin
        if made.encoder != own.encoder:
            raise ModelError(
                f"the user's vectors were made by the encoder {made.encoder_name} "
                f"({made.encoder}), the plug's is {own.encoder_name} ({own.encoder})",
                hint="Make them again with this plug's `user_state`",
            )
        if made.plug != own.plug:
            raise ModelError(
                f"the user's vectors belong to another plug: {made.plug} ({made.method}, "
                f"{made.task}); this one is {own.plug} ({own.method}, {own.task})",
                hint="Open that plug, or make them again with this plug's `user_state`",
            )


def _find_method(name: str, folder: Path) -> type[PrefixMethod[Any]]:
    from methods import METHODS

    found = METHODS.get(name)
    if not issubclass(found, PrefixMethod):
        raise ModelError(
            f"is said to hold a plug of {name!r}, which is not a prefix method",
            file=folder,
            hint="Give a folder that a trained plug was saved to",
        )
    return found


def _open_encoder(config: EncoderConfig, llm: LLM, cache: Path | None) -> Encoder:
    """The encoder that the plug was trained with, on the LLM's device."""
    config = config.model_copy(update={"device": str(llm.local.device)})
    if cache is not None:
        return Encoder.open(config, cache=cache)
    with tempfile.TemporaryDirectory() as digests:
        return Encoder.open(config, cache=Path(digests))
