"""A trained plug outside the harness: opened, and asked for one user at a time."""

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import torch

from methods.core.controls import CONTROL
from methods.core.runtime import Runtime
from methods.models.config import EncoderConfig
from methods.models.embedding_memory import EmbeddingMemory
from methods.models.encoder import Encoder
from methods.models.language_model import LanguageModel
from methods.prefix.method import PrefixMethod
from methods.prefix.user_state import Origin, Stored, UserState
from methods.prefix.weights import ABOUT, read_about
from tasks import TASKS
from tasks.common.errors import ConfigError, DataError, ModelError
from tasks.common.files import content_key
from tasks.common.seeds import Seeds
from tasks.example import Behavior, Example

M = TypeVar("M", bound=PrefixMethod)

TEMPORARY = Path(tempfile.gettempdir()) / "pplug-bench"
"""Cache and scratch of an opened plug, which has no use for them unless it is trained further."""


class InMemoryRuntime(Runtime):
    """A Runtime whose vectors stay in memory: a user's texts leave nothing on the disk."""

    @cached_property
    def embeddings(self) -> EmbeddingMemory:
        return EmbeddingMemory(self.encoder)


def open_trained(
    kind: type[M], folder: Path, llm: LanguageModel, encoder: Encoder | None, cache: Path | None
) -> M:
    """The plug in `folder`; see `PrefixMethod.from_pretrained`."""
    about = read_about(folder)
    if (folder / CONTROL).is_file():
        raise ModelError(
            "holds a control: it was trained on other users' histories",
            file=folder,
            hint="Open the plug of the method itself",
        )
    method = _class_of(kind, about, folder)
    try:
        task = TASKS.get(about["task"])()
        config = method.Config.model_validate(about["config"])
        budget = int(about["max_input_tokens"])
        named = about["encoder"]
        stored = None if named is None else EncoderConfig(**named["config"])
    except (KeyError, TypeError, ValueError) as error:  # pydantic's too
        raise ModelError(
            f"doesn't describe a plug of today's {method.name} ({error})",
            file=folder / ABOUT,
            hint="Open it with the version that trained it, or train it again",
        ) from error
    if encoder is None and stored is not None:
        encoder = _open_encoder(stored, llm, cache)
    runtime = InMemoryRuntime(
        task=task,
        seeds=Seeds.root(task.name),
        max_input_tokens=budget,
        cache=TEMPORARY / "cache",
        scratch=TEMPORARY / "scratch",
        open_llm=lambda: llm,
        open_encoder=None if encoder is None else lambda: encoder,
    )
    plug = method(config, runtime)
    plug.load(folder)
    return plug


def _class_of(kind: type[M], about: Mapping[str, Any], folder: Path) -> type[M]:
    from methods import METHODS

    name = str(about.get("method"))
    found = kind if getattr(kind, "name", None) == name else METHODS.get(name)
    if not issubclass(found, kind):
        raise ModelError(
            f"holds a plug of {name!r}, which is no {kind.__name__}",
            file=folder,
            hint=f"Open it by {found.__name__}.from_pretrained",
        )
    return found


def _open_encoder(config: EncoderConfig, llm: LanguageModel, cache: Path | None) -> Encoder:
    """The encoder that the plug was trained with, beside the LLM."""
    config = config.model_copy(update={"device": str(llm.device)})
    if cache is not None:
        return Encoder.open(config, cache=cache)
    with tempfile.TemporaryDirectory() as digests:
        return Encoder.open(config, cache=Path(digests))


def respond(method: PrefixMethod, input: str, history: Sequence[str | Behavior] | UserState) -> str:
    """The answer to one query of one user; see `PrefixMethod.respond`."""
    session = _session(method)
    if isinstance(history, UserState):
        _check_origin(history, origin(method))
        example = _example(method, input, ())
        with torch.no_grad():
            prefix = session.prefix(history.batch(example, method.runtime.llm.device)).cpu()
        (answer,) = session.text_side.answer([example], prefix=prefix)
    else:
        (answer,) = session.predict([_example(method, input, behaviors(method, history))])
    if answer.text is None:
        raise DataError(f"there is no answer: {answer.error}", hint="Correct the input or history")
    return answer.text


def user_state(method: PrefixMethod, history: Sequence[str | Behavior]) -> UserState:
    """What can be kept of a user instead of the texts; see `PrefixMethod.user_state`."""
    session = _session(method)
    stored = session.stored
    if stored is None:
        raise ConfigError(
            f"with these options {method.name} keeps no vectors of a user that would stand for "
            "the texts: it has no user side, or chooses among the texts anew for each query",
            hint="Give the texts themselves to `respond`",
        )
    if _reads_texts(session):
        raise ConfigError(
            f"the plug's text side {method.config.text!r} writes the user's texts into each "
            "prompt: vectors alone can't do that",
            hint='Give the texts themselves to `respond`, or train a plug with text = "zero-shot"',
        )
    asked = Example("query", "user", "", "", "", behaviors(method, history))
    used = session.selected([asked])
    session.histories.prepare(used)
    batch = session.histories.batch(used, method.runtime.llm.device)
    if stored is Stored.TOKENS:
        with torch.no_grad():
            return UserState.of(stored, session.user_tokens(batch)[0], None, origin(method))
    real = batch.mask[0]
    ages = None if batch.ages is None else batch.ages[0, real]
    return UserState.of(stored, batch.vectors[0, real], ages, origin(method))


def behaviors(method: PrefixMethod, history: Sequence[str | Behavior]) -> tuple[Behavior, ...]:
    """A history of texts or behaviours, oldest first, as behaviours.

    Raises DataError: no sequence of these, or plain texts where responses are needed too.
    """
    if (
        not isinstance(history, Sequence)  # an iterator can be read only once
        or isinstance(history, str)
        or not all(isinstance(item, str | Behavior) for item in history)
    ):
        raise DataError(
            "the history is no sequence of texts or behaviours",
            hint="Give a list of texts, oldest first, even of one",
        )
    if any(isinstance(item, str) for item in history) and (
        method.config.labels_in_history or _reads_texts(method)
    ):
        raise DataError(
            "this plug also reads what the user answered, which plain texts don't say",
            hint="Give a list of tasks.Behavior(id, text, content, response)",
        )
    return tuple(
        Behavior(id=str(number), text=item, content=item) if isinstance(item, str) else item
        for number, item in enumerate(history)
    )


def origin(method: PrefixMethod) -> Origin:
    """What the states made by `method` belong to."""
    encoder = method.runtime.encoder
    return Origin(
        plug=method.fingerprint,
        method=method.name,
        task=method.task.name,
        encoder=encoder.identity,
        encoder_name=encoder.config.model,
    )


def fingerprint(method: PrefixMethod) -> str:
    """Content key of the trained weights and of what they belong to; names and places stay out."""
    weights = hashlib.sha256()
    for name, value in sorted(method.module.state_dict().items()):
        weights.update(f"{name} {value.dtype} {list(value.shape)}".encode())
        weights.update(value.cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    runtime = method.runtime
    return content_key(
        {
            "method": [method.name, method.version, method.config.model_dump(mode="json")],
            "task": [method.task.name, method.task.version],
            "llm": runtime.llm.weights,
            "encoder": runtime.encoder.identity if method.uses_encoder else None,
            "weights": weights.hexdigest(),
        }
    )


def _session(method: PrefixMethod) -> PrefixMethod:
    """The same plug with an empty memory of texts, so that no user's stay when a call ends."""
    runtime = method.runtime
    session = type(method)(
        method.config,
        InMemoryRuntime(
            task=runtime.task,
            seeds=runtime.seeds,
            max_input_tokens=runtime.max_input_tokens,
            cache=runtime.cache,
            scratch=runtime.scratch,
            open_llm=lambda: runtime.llm,
            open_encoder=lambda: runtime.encoder,
        ),
    )
    session.module = method.module.eval()
    return session


def _example(method: PrefixMethod, input: str, history: tuple[Behavior, ...]) -> Example:
    task = method.task
    try:
        query, subject = task.query(input), task.subject(input)
    except ValueError as error:
        raise DataError(
            str(error), hint=f"Give {task.name}'s official prompt, instruction included"
        ) from error
    return Example("query", "user", input, query, subject, history)


def _reads_texts(method: PrefixMethod) -> bool:
    """Whether the text side puts behaviours into the prompt."""
    return type(method.text_side).is_personal(method.text_side.config)


def _check_origin(state: UserState, own: Origin) -> None:
    made = state.origin
    if made.encoder != own.encoder:
        raise ModelError(
            f"the user's vectors were made by the encoder {made.encoder_name} ({made.encoder}), "
            f"the plug's is {own.encoder_name} ({own.encoder})",
            hint="Make them again by this plug's `user_state`",
        )
    if made.plug != own.plug:
        raise ModelError(
            f"the user's vectors belong to another plug: {made.plug} ({made.method}, {made.task}); "
            f"this one is {own.plug} ({own.method}, {own.task})",
            hint="Open that plug, or make them again by this plug's `user_state`",
        )
