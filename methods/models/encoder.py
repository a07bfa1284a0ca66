"""A frozen sentence encoder, loaded by sentence-transformers."""

import copy
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import numpy.typing as npt

from methods.models.checks import check_folder
from methods.models.config import EncoderConfig
from methods.models.loading import pin, resolve, source_identity
from methods.models.long_words import divide_long_words
from tasks.common.errors import ModelError
from tasks.common.files import content_key

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from methods.models.trainable_encoder import TrainableEncoder

Side = Literal["query", "document"]
Vectors = npt.NDArray[np.float32]

_NOT_CONTENT = {"model", "revision", "device", "batch_size"}


def identity_of(config: EncoderConfig, *, cache: Path) -> str:
    """The identity of an Encoder opened from `config`, without loading weights.

    It covers weights, tokenizer, pooling, normalization, prefixes, length and dtype, but not device
    and batch size. Raises ModelError where a folder, package or hub name doesn't exist.
    """
    source = source_identity(config.model, config.revision, cache)
    return content_key([source, config.model_dump(exclude=_NOT_CONTENT)], length=32)


class Encoder:
    """Texts → vectors, with frozen weights.

    Texts longer than min(config.max_length, the model's own limit) tokens are cut. Each text gets
    the prefix of its side, verbatim; prompts stored with the model are ignored. A vector depends on
    nothing but its text, to the last bit, on one device with one number of threads: see
    `methods.models.encoding`.

    Attributes:
        identity: content key, see `identity_of`.
        dimension: D, the length of a vector.
        config: as given.
        calls: number of distinct texts encoded so far.
    """

    def __init__(self, model: "SentenceTransformer", config: EncoderConfig, identity: str) -> None:
        self.model = model.eval().requires_grad_(False)
        self.config = config
        self.identity = identity
        self.dimension = int(model.get_embedding_dimension() or 0)
        self.calls = 0

    @classmethod
    def open(cls, config: EncoderConfig, *, cache: Path) -> Self:
        """Load the encoder that `config` names; `cache` keeps digests of large files.

        Code that comes with a model is never run.

        Raises:
            ModelError: no such folder, package or hub name; config, tokenizer or weights are
                missing or broken; an unknown architecture.
        """
        config = pin(config, cache)
        folder = resolve(config.model, config.revision, cache)
        check_folder(folder)
        return cls(_load(folder, config), config, identity_of(config, cache=cache))

    @property
    def name(self) -> str:
        """The folder, package or hub name that it was opened from."""
        return self.config.model

    @property
    def description(self) -> dict[str, Any]:
        """What a cell's record says about the encoder, as JSON.

        `encoded` counts the texts encoded since it was opened, without those whose vectors were
        stored before.
        """
        weight = next(self.model.parameters())
        return {
            "name": self.config.model,
            "revision": self.config.revision,
            "identity": self.identity,
            "dimension": self.dimension,
            "dtype": str(weight.dtype).removeprefix("torch."),
            "device": str(weight.device),
            "batch_size": self.config.batch_size,
            "encoded": self.calls,
        }

    def text(self, text: str, side: Side) -> str:
        """`text` with the prefix of its side, as the model reads it."""
        prefix = self.config.query_prefix if side == "query" else self.config.document_prefix
        return prefix + text

    def encode(self, texts: Sequence[str], *, side: Side) -> Vectors:
        """Vectors of `texts`, float32 [N, D]. Raises ModelError where they aren't finite."""
        if not texts:
            return np.empty((0, self.dimension), np.float32)
        from methods.models.encoding import encode_texts

        read = [self.text(text, side) for text in texts]
        vectors = encode_texts(self.model, read, most_rows=self.config.batch_size)
        self.calls += len(set(texts))
        if not np.isfinite(vectors).all():
            raise ModelError(
                "produces vectors that are not finite",
                file=self.config.model,
                hint='Set `dtype = "float32"` for the encoder, or fetch its weights again',
            )
        return vectors

    def trainable_copy(self) -> "TrainableEncoder":
        """A trainable copy of the weights, in float32: PPlug's input encoder (methods.md §2b).

        Its `forward(texts)` → [B, D] uses this encoder's pooling, normalization and query prefix.
        """
        from methods.models.trainable_encoder import TrainableEncoder

        return TrainableEncoder(copy.deepcopy(self.model), self.config.query_prefix)


def _load(folder: Path, config: EncoderConfig) -> "SentenceTransformer":
    from safetensors import SafetensorError
    from sentence_transformers import SentenceTransformer

    device = None if config.device == "auto" else config.device
    try:
        loaded = SentenceTransformer(
            str(folder),
            device=device,
            trust_remote_code=False,
            local_files_only=True,
            model_kwargs={"dtype": config.dtype},
        )
        missing = _missing_weights(loaded, folder)
        model = SentenceTransformer(modules=_modules(loaded, config), device=device)
    except (
        OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError, SafetensorError,
        AttributeError, EOFError, pickle.UnpicklingError,
    ) as error:  # fmt: skip
        raise ModelError(
            f"can't be loaded as a sentence encoder ({error})",
            file=folder,
            hint="Name a sentence-transformers folder, or a Hugging Face encoder",
        ) from error
    _check_dimensions(model, folder)
    if missing:
        raise ModelError(
            f"{len(missing)} weights are missing, including {missing[0]}",
            file=folder,
            hint="Fetch the weights again, or correct the architecture in config.json",
        )
    if backend := getattr(model.tokenizer, "backend_tokenizer", None):
        divide_long_words(backend)
    model.max_seq_length = min(config.max_length, loaded.max_seq_length or config.max_length)
    return model


def _check_dimensions(model: "SentenceTransformer", folder: Path) -> None:
    """Raise ModelError where a pooling's config states another dimension than the model's."""
    transformer, *rest = model
    dimension = transformer.get_embedding_dimension()
    for module in rest:
        stated = getattr(module, "embedding_dimension", dimension)
        if type(module).__name__ == "Pooling" and stated != dimension:
            raise ModelError(
                f"its pooling has {stated} dimensions, but its model {dimension}",
                file=folder,
                hint="Correct the pooling's config.json, or set `pooling` for the encoder",
            )


def _missing_weights(loaded: "SentenceTransformer", folder: Path) -> list[str]:
    """Weights that transformers initialized at random because the folder lacks them.

    BERT's own pooler isn't counted: sentence encoders come without it and never use it.
    """
    architecture = type(loaded.transformers_model)
    _, found = architecture.from_pretrained(folder, output_loading_info=True)
    return sorted(name for name in found["missing_keys"] if not name.startswith("pooler."))


def _modules(loaded: "SentenceTransformer", config: EncoderConfig) -> list[object]:
    """The model's modules, with any pooling and normalization that `config` sets."""
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling

    modules = list(loaded)
    if config.pooling != "auto":
        transformer, *rest = modules
        pooling = Pooling(transformer.get_embedding_dimension(), config.pooling)
        modules = [transformer, pooling, *(m for m in rest if not isinstance(m, Pooling))]
    if config.normalize is not None:
        modules = [module for module in modules if not isinstance(module, Normalize)]
        modules += [Normalize()] if config.normalize else []
    return modules
