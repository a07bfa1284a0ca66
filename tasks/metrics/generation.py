"""Overlap of a generated text with the gold one. A failed prediction is scored as an empty text."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from tasks.common.errors import ConfigError
from tasks.metrics.metric import Metric, Rows, column, mean, require_rows
from tasks.scoring import Aggregator

BOOTSTRAP_SAMPLES = 1000


def stripped(predictions: Sequence[str | None], references: Sequence[str]) -> list[tuple[str, str]]:
    """(prediction, reference) pairs, stripped as in LaMP's scripts; None → ""."""
    return [
        ((prediction or "").strip(), reference.strip())
        for prediction, reference in zip(predictions, references, strict=True)
    ]


class Rouge(Metric):
    """ROUGE F-measure in [0, 1] by rouge-score, without stemming (the official scripts' default).

    Args:
        name: "rouge1", "rouge2" or "rougeL".
        aggregator: "mean"; or "lamp": the median of bootstrap means (1,000 resamples, seeded here),
            which `evaluate`'s ROUGE and so LaMP's scripts print. It differs in the 4th digit.
    """

    def __init__(self, name: str, aggregator: Aggregator) -> None:
        self.name = name
        self.aggregator = aggregator

    @cached_property
    def _scorer(self) -> Any:
        from rouge_score.rouge_scorer import RougeScorer

        return RougeScorer([self.name], use_stemmer=False)

    def rows(self, predictions: Sequence[str | None], references: Sequence[str]) -> Rows:
        return column(
            [
                self._scorer.score(target=reference, prediction=prediction)[self.name].fmeasure
                for prediction, reference in stripped(predictions, references)
            ]
        )

    def reduce(self, rows: Rows) -> float:
        if self.aggregator == "mean":
            return mean(rows)
        require_rows(rows)
        generator = np.random.default_rng(0)
        n = len(rows)
        means = [rows[generator.integers(n, size=n), 0].mean() for _ in range(BOOTSTRAP_SAMPLES)]
        return float(np.percentile(means, 50))


class SacreBleuMetric(Metric):
    """A corpus metric of sacrebleu in [0, 100]; rows are its per-segment sufficient statistics."""

    @cached_property
    def _metric(self) -> Any:
        raise NotImplementedError

    def rows(self, predictions: Sequence[str | None], references: Sequence[str]) -> Rows:
        pairs = stripped(predictions, references)
        hypotheses, golds = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        # The two calls that sacrebleu's own resampling builds on; no public ones give statistics.
        statistics = self._metric._extract_corpus_statistics(hypotheses, [golds]) if pairs else []
        return np.array(statistics, dtype=np.float64).reshape(len(pairs), -1 if pairs else 0)

    def reduce(self, rows: Rows) -> float:
        require_rows(rows)
        total = rows.sum(axis=0).astype(np.int64).tolist()
        return float(self._metric._compute_score_from_stats(total).score)


class Bleu(SacreBleuMetric):
    """Corpus BLEU-4: 13a tokenization, exponential smoothing (sacrebleu's defaults)."""

    name = "bleu"

    @cached_property
    def _metric(self) -> Any:
        from sacrebleu.metrics import BLEU

        return BLEU()


class ChrF(SacreBleuMetric):
    """Corpus chrF2: character n-grams up to 6, no words (sacrebleu's defaults)."""

    name = "chrf"

    @cached_property
    def _metric(self) -> Any:
        from sacrebleu.metrics import CHRF

        return CHRF()


class Meteor(Metric):
    """METEOR in [0, 1] by NLTK (α .9, β 3, γ .5), Treebank word tokens; rows [n, 1].

    Needs the extra `meteor` and NLTK's WordNet data. Raises ConfigError without them.
    """

    name = "meteor"

    def __init__(self, wordnet: Any = None) -> None:
        """`wordnet`: a reader in place of NLTK's installed corpus."""
        try:
            from nltk.corpus import wordnet as installed
            from nltk.stem.porter import PorterStemmer
            from nltk.tokenize import NLTKWordTokenizer
        except ImportError as error:
            raise ConfigError(
                "METEOR needs NLTK", hint="Install the extra: pip install 'pplug-bench[meteor]'"
            ) from error
        self._wordnet = installed if wordnet is None else wordnet
        self._tokenize = NLTKWordTokenizer().tokenize
        self._stem = PorterStemmer().stem
        try:
            self._wordnet.synsets("paper")
        except LookupError as error:
            raise ConfigError(
                "METEOR needs NLTK's WordNet data",
                hint="Run `python -m nltk.downloader wordnet`, or leave METEOR out",
            ) from error

    def stem(self, word: str) -> str:
        """The Porter stem; a word on which NLTK's recursion runs out ("yyyy…") is its own stem."""
        try:
            return str(self._stem(word))
        except RecursionError:
            return word

    def rows(self, predictions: Sequence[str | None], references: Sequence[str]) -> Rows:
        from nltk.translate.meteor_score import single_meteor_score

        return column(
            [
                single_meteor_score(
                    self._tokenize(reference),
                    self._tokenize(prediction),
                    stemmer=self,
                    wordnet=self._wordnet,
                )
                for prediction, reference in stripped(predictions, references)
            ]
        )

    def reduce(self, rows: Rows) -> float:
        return mean(rows)
