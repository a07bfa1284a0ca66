"""Checks of texts: empty and huge ones, and scripts that ROUGE and BM25 don't see."""

import re
from collections.abc import Iterable, Iterator

from tasks.common.labels import UNSEEN, fold_label, show_label
from tasks.common.numbering import count
from tasks.common.words import LAMP, count_letters, split_words
from tasks.data.finding import Finding, Severity
from tasks.example import Dataset, Example
from tasks.task import Kind, Task

HUGE = 100_000
"""Characters from which a text counts as huge."""
BLIND = 0.5
"""Share of dropped letters from which ROUGE counts as blind to a gold."""
MUCH = 0.01
"""Share of dropped letters of all golds from which the finding is a warning."""
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")
"""Characters that no text shows; line breaks, tabs and form feeds are white space."""
WORDS = 5
"""Least number of words of a text in which BM25 sees one."""


def check_texts(task: Task, dataset: Dataset) -> Iterator[Finding]:
    """Findings about texts within one set."""
    generates = task.kind is Kind.GENERATION
    texts = (dataset.golds or {}).items() if generates else ()
    golds = {id: task.gold_text(gold) for id, gold in texts}
    examples = dataset.examples
    counted: list[tuple[Severity, str, str, list[str]]] = [
        (
            "warning",
            "empty-text-in-profile",
            "a profile item contains no text",
            [i.id for i in examples if any(_is_blank(item.text) for item in i.history)],
        ),
        (
            "warning",
            "empty-query",
            "the query is empty",
            [item.id for item in examples if _is_blank(item.query)],
        ),
        (
            "warning",
            "empty-gold",
            "the gold is empty",
            [id for id, gold in golds.items() if _is_blank(gold)],
        ),
        (
            "info",
            "huge-text",
            f"a text has more than {HUGE:,} characters",
            [item.id for item in examples if _is_huge(item, golds.get(item.id, ""))],
        ),
    ]
    for severity, kind, what, ids in counted:
        if ids:
            message = f"{what} ({len(ids)} of {count(len(dataset), 'query', 'queries')})"
            yield Finding(severity, kind, dataset.set, message, tuple(ids))
    yield from _check_controls(dataset)
    yield from _check_users(dataset)
    if task.words == LAMP:
        yield from _check_rouge(dataset, golds)
        yield from _check_bm25(dataset)


def _is_blank(text: str) -> bool:
    return not text.strip() or not text.translate(UNSEEN).strip()


def _is_huge(example: Example, gold: str) -> bool:
    return any(
        len(text) > HUGE for text in (example.input, gold, *(item.text for item in example.history))
    )


def _check_controls(dataset: Dataset) -> Iterator[Finding]:
    """Queries with a control character in their text, their gold or their profile."""
    golds = dataset.golds or {}
    known: dict[str, str] = {}
    places: dict[str, str] = {}
    for example in dataset.examples:
        named = [("its input", example.input), ("its gold", golds.get(example.id, ""))]
        named += [
            (f"profile item {item.id}", text)
            for item in example.history
            for text in (item.text, item.content, item.response or "")
        ]
        for where, text in named:
            if text not in known:
                found = CONTROL.search(text)
                known[text] = ascii(found[0]) if found else ""
            if known[text]:
                places.setdefault(example.id, f"{known[text]} in {where}")
    if places:
        first, place = next(iter(places.items()))
        message = (
            f"texts contain control characters, such as {place} of {first} ({len(places)} of "
            f"{count(len(dataset), 'query', 'queries')})"
        )
        yield Finding("warning", "control-characters", dataset.set, message, tuple(places))


def _check_users(dataset: Dataset) -> Iterator[Finding]:
    """Users that are probably one."""
    spellings: dict[str, dict[str, None]] = {}
    for example in dataset.examples:
        spellings.setdefault(fold_label(example.user_id), {})[example.user_id] = None
    similar = [tuple(names) for names in spellings.values() if len(names) > 1]
    if similar:
        concerned = {name for names in similar for name in names}
        ids = tuple(item.id for item in dataset.examples if item.user_id in concerned)
        names = " and ".join(map(show_label, similar[0][:2]))
        message = (
            f"{count(len(similar), 'user is', 'users are')} written in several ways, e.g. {names}"
        )
        yield Finding("warning", "similar-users", dataset.set, message, ids)


def _check_rouge(dataset: Dataset, golds: dict[str, str]) -> Iterator[Finding]:
    """Golds of which rouge-score's own rule drops letters."""
    counts = {id: count_letters(gold) for id, gold in golds.items()}
    total, dropped = (sum(letters[i] for letters in counts.values()) for i in (0, 1))
    blind = [id for id, (letters, lost) in counts.items() if letters and lost >= BLIND * letters]
    if not dropped or not (blind or dropped >= MUCH * total):
        return
    ids = blind or [id for id, (_, lost) in counts.items() if lost]
    message = (
        f"ROUGE can't see {dropped / total:.1%} of the letters of the golds: rouge-score's words "
        f"are runs of a–z and 0–9, so that a right answer may score 0 ({len(ids)} of {len(golds)} "
        "golds lose " + ("most of theirs)" if blind else "some)")
    )
    severity: Severity = "warning" if dropped >= MUCH * total else "info"
    yield Finding(severity, "rouge-blind", dataset.set, message, tuple(ids))


def _check_bm25(dataset: Dataset) -> Iterator[Finding]:
    """Histories or queries of which BM25 sees one word where there are several."""
    blind = {text: _is_one_word(text) for text in _list_texts(dataset.examples)}
    ids = [
        item.id
        for item in dataset.examples
        if blind[item.query] or any(blind[behavior.text] for behavior in item.history)
    ]
    share = sum(blind.values()) / max(1, len(blind))
    if ids and share >= MUCH:
        message = (
            f"BM25 sees one word in {share:.0%} of the texts, because they have no spaces "
            f"({len(ids)} of {len(dataset)} queries)"
        )
        yield Finding("warning", "bm25-blind", dataset.set, message, tuple(ids))


def _list_texts(examples: Iterable[Example]) -> Iterator[str]:
    for example in examples:
        yield example.query
        for behavior in example.history:
            yield behavior.text


def _is_one_word(text: str) -> bool:
    return not text.isascii() and len(text.split()) == 1 and len(split_words(text[:1000])) >= WORDS
