"""Open the LLM that a config describes: find, convert, make or adapt it, then load it."""

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import ValidationError

from methods.cache.checksums import has_checksums
from methods.models import pretrained
from methods.models.adaptation import adapt_llm, read_adapted_key
from methods.models.config import LLMConfig
from methods.models.gguf import convert_gguf
from methods.models.identity import base_key, identity_from, weights_key
from methods.models.interface import LLM
from methods.models.language_model import LanguageModel
from methods.models.loading import GGUF, pin, resolve, source_identity
from methods.models.processes import ALONE, Processes
from methods.models.quantization import quantize_dynamic
from methods.models.scratch import make_scratch_t5
from methods.models.served.llm import ServedLLM
from tasks.common.errors import ConfigError, ModelError
from tasks.common.progress import Progress
from tasks.example import Dataset
from tasks.task import Task


def open_llm(
    config: LLMConfig,
    *,
    task: Task,
    train: Dataset | None,
    seed: int,
    cache: Path,
    progress: Progress | None = None,
    processes: Processes = ALONE,
) -> LLM:
    """Open the LLM that `config` describes, after making or adapting it if the config says so.

    A served one is not asked anything yet.

    An LLM is made, adapted or converted from GGUF once and stored in `cache`. The opened LLM's
    config names the commit of a hub model.

    Args:
        task, train, seed: what an LLM made or adapted here is trained on; otherwise ignored.
        cache: for LLMs made, adapted or converted here, commits, and digests of large files.
        progress: of the adaptation, and afterwards of the prompts that the LLM answers.
        processes: that adapt it together, each calling this function with equal arguments.

    Raises:
        ModelError: the model can't be found or loaded, its parts don't match, or it has too few
            positions for the task's answers.
        ConfigError: it needs a train set with golds and there is none.
    """
    if config.endpoint is not None:
        served = open_served(config, cache=cache, answers=cache)
        served.queue.progress = progress or Progress()
        return served
    config = pin(config, cache)
    fingerprint = train.fingerprint if train else ""
    key = weights_key(config, task=task, train_fingerprint=fingerprint, seed=seed, cache=cache)
    if config.scratch is None:
        folder = _find_folder(config, cache)
    else:
        base = base_key(config, train_fingerprint=fingerprint, cache=cache)
        place = cache / "made_llms" / base
        folder = make_scratch_t5(place, config.scratch, _require_golds(task, train))
    if config.adapt != "none":
        folder = adapt_llm(
            cache / "adapted" / key,
            folder,
            config,
            task=task,
            train=_require_golds(task, train),
            seed=seed,
            progress=progress or Progress(),
            processes=processes,
        )
    made_here = folder.is_relative_to(cache)
    try:
        llm = _load(folder, config, key)
    except ModelError as error:
        if not made_here or has_checksums(folder):
            raise
        raise ModelError(  # made by a version that listed no checksums, and perhaps torn since
            error.what,
            file=error.file,
            hint="Delete this folder and run the same command again: it is made again",
        ) from error
    llm.check_room(task.max_new_tokens)
    llm.progress = progress or Progress()
    return llm


def open_served(config: LLMConfig, *, cache: Path, answers: Path | None) -> ServedLLM:
    """The LLM behind `config.endpoint`.

    Args:
        cache: for the digests of large files.
        answers: the folder that keeps its answers; None: none is kept.

    Raises:
        ConfigError: the API key isn't in the environment.
        ModelError: the tokenizer can't be found or used.
    """
    served = config.served_options
    own = None
    if served.weights is not None:
        fields = ("revision", "dtype", "device", "device_map", "batch_size", "chat_template")
        options = {name: getattr(config, name) for name in fields}
        own = partial(load_llm, served.weights, cache=cache, decoding=config.decoding, **options)
    key = base_key(config, train_fingerprint="", cache=cache)
    return ServedLLM(
        config,
        identity_from(key, config),
        key=key,
        cache_folder=answers,
        weights=None if own is None else lambda: own().local,
    )


def load_llm(
    model: str, revision: str | None = None, *, cache: Path | None = None, **options: Any
) -> LLM:
    """Open an existing LLM outside the harness: a folder, a GGUF file or a hub name.

    A folder written by `adapt_llm` records its own key, which can't be computed without the train
    set.

    Args:
        cache: stores commits, converted GGUF files and digests of large files; None: they are
            found, converted and computed each time. Also stores the answers of a served LLM.
        options: fields of `LLMConfig`.

    Raises:
        ModelError: as `open_llm`.
        ConfigError: an option is wrong.
    """
    try:
        config = LLMConfig(model=model, revision=revision, **options)
    except ValidationError as error:
        fault = error.errors()[0]
        raise ConfigError(
            f"the LLM's options are wrong: {'.'.join(map(str, fault['loc']))}: {fault['msg']}",
            hint=f"Known options: {', '.join(LLMConfig.model_fields)}",
        ) from error
    if config.adapt != "none":
        raise ConfigError(
            f"adapt = {config.adapt!r} needs a train set",
            hint="Name the folder of the adapted LLM, or use `open_llm`",
        )
    with TemporaryDirectory() as temporary:
        place = cache or Path(temporary)
        if config.endpoint is not None:
            return open_served(config, cache=place, answers=cache)
        config = pin(config, place)
        folder = _find_folder(config, place)
        key = read_adapted_key(folder) or base_key(config, train_fingerprint="", cache=place)
        return _load(folder, config, key)


def _find_folder(config: LLMConfig, cache: Path) -> Path:
    """The folder of a model that is neither made nor adapted here; of a GGUF file, converted."""
    path = resolve(config.name, config.revision, cache)
    if path.suffix != GGUF or path.is_dir():
        return path
    return convert_gguf(path, source_identity(config.name, config.revision, cache), cache)


def _load(folder: Path, config: LLMConfig, key: str) -> LanguageModel:
    device = pretrained.device_of(config.device)
    dtype = pretrained.dtype_of(config.dtype, device)
    model, tokenizer = pretrained.load(
        folder,
        dtype=dtype,
        device=device,
        device_map=config.device_map,
        quantize=config.quantize,
    )
    if config.quantize == "int8-dynamic":
        quantize_dynamic(model, name=config.name)
    identity = identity_from(key, config)
    return LanguageModel(model, tokenizer, config, identity, weights=key, name=config.name)


def _require_golds(task: Task, train: Dataset | None) -> Dataset:
    if not task.gold_is_answer:
        raise ConfigError(
            f"no LLM can learn from the golds of {task.name}, which are no answers",
            hint='Name an existing model with adapt = "none" for this task',
        )
    if train is None or train.golds is None:
        raise ConfigError(
            f"the LLM learns from the train set of {task.name}, which is missing or has no golds",
            hint='Add the train files, or name an existing model with adapt = "none"',
        )
    return train
