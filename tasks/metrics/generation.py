"""Overlap of generated texts with their golds. A failed prediction is scored as an empty text."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from tasks.common.errors import ConfigError
from tasks.common.words import LAMP, UnicodeTokenizer, WordRule, split_words
from tasks.metrics.metric import Metric, Rows, as_column, mean, require_rows
from tasks.scoring import Aggregator

BOOTSTRAP_SAMPLES = 1000


def strip_pairs(
    predictions: Sequence[str | None], references: Sequence[str]
) -> list[tuple[str, str]]:
    """(prediction, reference) pairs, stripped as in LaMP's scripts; None becomes ""."""
    return [
        ((prediction or "").strip(), reference.strip())
        for prediction, reference in zip(predictions, references, strict=True)
    ]


class Rouge(Metric):
    """ROUGE F-measure in [0, 1], computed by rouge-score without stemming, as in LaMP's scripts.

    Args:
        name: "rouge1", "rouge2" or "rougeL".
        aggregator: "mean", or "lamp": the median of the means of 1,000 bootstrap resamples (with a
            fixed seed). The latter is what `evaluate`'s ROUGE, and so LaMP's scripts, print; it
            differs from the mean in about the 4th digit.
        words: "lamp" is rouge-score's own rule (runs of a–z and 0–9); "unicode" reads every script.
    """

    bounds = (0.0, 1.0)

    def __init__(self, name: str, aggregator: Aggregator, words: WordRule = LAMP) -> None:
        self.name, self.aggregator, self.words = name, aggregator, words
        self.is_mean = aggregator == "mean"

    @cached_property
    def _scorer(self) -> Any:
        from rouge_score.rouge_scorer import RougeScorer

        tokenizer = None if self.words == LAMP else UnicodeTokenizer()
        return RougeScorer([self.name], use_stemmer=False, tokenizer=tokenizer)

    def rows(self, predictions: Sequence[str | None], references: Sequence[str]) -> Rows:
        return as_column(
            [
                self._scorer.score(target=reference, prediction=prediction)[self.name].fmeasure
                for prediction, reference in strip_pairs(predictions, references)
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
    """A corpus metric of sacrebleu in [0, 100]; rows are the sufficient statistics per segment."""

    bounds = (0.0, 100.0)

    @cached_property
    def _metric(self) -> Any:
        raise NotImplementedError

    def prepare(self, text: str) -> str:
        """The text as sacrebleu is given it. Default: unchanged."""
        return text

    def rows(self, predictions: Sequence[str | None], references: Sequence[str]) -> Rows:
        pairs = strip_pairs(predictions, references)
        hypotheses, golds = ([self.prepare(pair[i]) for pair in pairs] for i in (0, 1))
        # Private methods, because sacrebleu's public API returns no statistics; its own bootstrap
        # builds on the same two.
        statistics = self._metric._extract_corpus_statistics(hypotheses, [golds]) if pairs else []
        return np.array(statistics, dtype=np.float64).reshape(len(pairs), -1 if pairs else 0)

    def reduce(self, rows: Rows) -> float:
        require_rows(rows)
        total = rows.sum(axis=0).astype(np.int64).tolist()
        return float(self._metric._compute_score_from_stats(total).score)


class Bleu(SacreBleuMetric):
    """Corpus BLEU-4: 13a tokenization, exponential smoothing (sacrebleu's defaults).

    Args:
        words: with "unicode", texts are divided by `split_words` instead, in lower case.
    """

    name = "bleu"

    def __init__(self, words: WordRule = LAMP) -> None:
        self.words = words

    def prepare(self, text: str) -> str:
        return text if self.words == LAMP else " ".join(split_words(text))

    @cached_property
    def _metric(self) -> Any:
        from sacrebleu.metrics import BLEU

        return BLEU() if self.words == LAMP else BLEU(tokenize="none")


class ChrF(SacreBleuMetric):
    """Corpus chrF2: character n-grams up to 6, no words (sacrebleu's defaults)."""

    name = "chrf"

    @cached_property
    def _metric(self) -> Any:
        from sacrebleu.metrics import CHRF

        return CHRF()


class Meteor(Metric):
    """METEOR in [0, 1] by NLTK (α .9, β 3, γ .5) on Treebank tokens; rows [n, 1].

    It needs the extra `meteor` and NLTK's WordNet data to compute rows, but not to reduce them.
    """

    name = "meteor"
    is_mean = True
    bounds = (0.0, 1.0)

    def __init__(self, wordnet: Any = None) -> None:
        """`wordnet`: a corpus reader to use instead of NLTK's installed one."""
        self._given = wordnet

    def check_available(self) -> None:
        """Raise ConfigError without NLTK or its WordNet data."""
        try:
            self._wordnet.synsets("paper")
        except ImportError as error:
            raise ConfigError(
                "METEOR needs NLTK", hint="Install it with `pip install 'pplug-bench[meteor]'`"
            ) from error
        except LookupError as error:
            raise ConfigError(
                "METEOR needs NLTK's WordNet data",
                hint="Run `python -m nltk.downloader wordnet`, or drop METEOR from the metrics",
            ) from error

    @cached_property
    def _wordnet(self) -> Any:
        from nltk.corpus import wordnet

        return wordnet if self._given is None else self._given

    @cached_property
    def _tokenize(self) -> Any:
        from nltk.tokenize import NLTKWordTokenizer

        return NLTKWordTokenizer().tokenize

    @cached_property
    def _stem(self) -> Any:
        from nltk.stem.porter import PorterStemmer

        return PorterStemmer().stem

    def stem(self, word: str) -> str:
        """The Porter stem, or the word itself if NLTK exceeds its recursion limit ("yyyy…")."""
        try:
            return str(self._stem(word))
        except RecursionError:
            return word

    def rows(self, predictions: Sequence[str | None], references: Sequence[str]) -> Rows:
        """Scores per example [n, 1]. Raises ConfigError as `check_available` does."""
        self.check_available()
        from nltk.translate.meteor_score import single_meteor_score

        return as_column(
            [
                single_meteor_score(
                    self._tokenize(reference),
                    self._tokenize(prediction),
                    stemmer=self,
                    wordnet=self._wordnet,
                )
                for prediction, reference in strip_pairs(predictions, references)
            ]
        )

    def reduce(self, rows: Rows) -> float:
        return mean(rows)
