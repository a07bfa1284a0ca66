"""BERTScore with any local encoder, as a metric of Hugging Face's `evaluate`.

Source: Zhang et al., "BERTScore: Evaluating Text Generation with BERT" (ICLR 2020, arXiv
1904.09675), equations of section 3 without importance weights, and the authors' package bert_score:
special tokens are not scored, but a token may be matched with one.
"""

import inspect
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import datasets
import evaluate
import torch

from methods.models.config import EncoderConfig
from methods.models.encoder import Encoder, identity_of
from tasks.common.errors import ConfigError
from tasks.common.files import content_key


class States(NamedTuple):
    """The contextual token embeddings of a text.

    Attributes:
        vectors: [T, H], of unit length.
        scored: [T] False for special tokens.
    """

    vectors: torch.Tensor
    scored: torch.Tensor


def match(candidate: States, reference: States) -> tuple[float, float, float]:
    """Precision, recall and F1 of two texts; all 0 where one of them has no token.

    Each token is matched with the most similar one of the other text, by cosine.
    """
    if not candidate.scored.any() or not reference.scored.any():
        return 0.0, 0.0, 0.0
    cosines = candidate.vectors @ reference.vectors.T
    precision = float(cosines.max(dim=1).values[candidate.scored].mean())
    recall = float(cosines.max(dim=0).values[reference.scored].mean())
    total = precision + recall
    return precision, recall, 2 * precision * recall / total if total else 0.0


class BertScore(evaluate.Metric):
    """BERTScore's precision, recall and F1, a list each; raw values are high for any two texts.

    Every text is read by itself, without padding, so that no batch changes its score. Texts are cut
    at the encoder's `max_length`; its prefixes, pooling and normalization are not used.

    Args:
        encoder: fields of `EncoderConfig`; its content is part of the metric's hash.
        config_name: the encoder's name in records; its `model` if omitted.

    Raises ModelError where there is no such encoder.
    """

    def __init__(self, encoder: Mapping[str, Any], config_name: str | None = None) -> None:
        self.encoder_config = EncoderConfig(**encoder)
        with TemporaryDirectory() as cache:
            identity = identity_of(self.encoder_config, cache=Path(cache))
        source = inspect.getsource(inspect.getmodule(type(self)) or type(self))
        name = config_name or self.encoder_config.model
        super().__init__(
            config_name=name, keep_in_memory=True, hash=content_key([source, identity], length=64)
        )

    def _info(self) -> evaluate.MetricInfo:
        text = datasets.Value("string")
        return evaluate.MetricInfo(
            description=type(self).__doc__,
            citation="arXiv 1904.09675",
            features=datasets.Features({"predictions": text, "references": text}),
        )

    @cached_property
    def _encoder(self) -> Encoder:
        with TemporaryDirectory() as cache:
            return Encoder.open(self.encoder_config, cache=Path(cache))

    def _compute(
        self,
        predictions: Sequence[str],
        references: Sequence[str],
        layer: int | None = None,
        baseline: float = 0.0,
    ) -> dict[str, list[float] | str]:
        """Scores of n pairs: "precision", "recall" and "f1" [n], and "hashcode", what made them.

        Args:
            layer: whose hidden states are compared: 0 is the embeddings; None: the last one.
            baseline: b of the rescaling (x − b) / (1 − b): the mean score of unrelated texts.

        Raises ConfigError for a layer that the encoder doesn't have, or a baseline not below 1.
        """
        if not baseline < 1:
            raise ConfigError(
                f"`baseline` is {baseline:g}",
                hint="Give the mean score of unrelated texts, below 1",
            )
        with torch.inference_mode():
            scores = [
                match(self.read(prediction, layer), self.read(reference, layer))
                for prediction, reference in zip(predictions, references, strict=True)
            ]
        names = ("precision", "recall", "f1")
        rescaled = {
            name: [(score[place] - baseline) / (1 - baseline) for score in scores]
            for place, name in enumerate(names)
        }
        made_by = {"encoder": self.config_name, "layer": layer, "baseline": baseline, "idf": False}
        return {**rescaled, "hashcode": json.dumps(made_by | {"hash": self._hash})}

    def read(self, text: str, layer: int | None = None) -> States:
        """The token embeddings of a text at a layer. Raises ConfigError for a layer it lacks."""
        model = self._encoder.model
        tokenizer, transformer = model.tokenizer, model.transformers_model
        found = tokenizer(
            text,
            truncation=True,
            max_length=model.max_seq_length,
            return_special_tokens_mask=True,
            return_tensors="pt",
        )
        special = found.pop("special_tokens_mask")[0].bool()
        inputs = {name: value.to(model.device) for name, value in found.items()}
        states = transformer(**inputs, output_hidden_states=True).hidden_states
        last = len(states) - 1
        if layer is not None and not 0 <= layer <= last:
            raise ConfigError(
                f"the encoder {self.config_name!r} has no layer {layer}",
                hint=f"Set `layer` to a number from 0 (embeddings) to {last}",
            )
        vectors = states[last if layer is None else layer][0].float().cpu()
        return States(torch.nn.functional.normalize(vectors, dim=-1), ~special)
