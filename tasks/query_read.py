"""How much of a query a prompt holds: what a budget cut off is counted token by token."""

from tasks.example import Example
from tasks.task import Task, Tokenizer


def count_query(task: Task, example: Example, text: str, tokenizer: Tokenizer) -> tuple[int, int]:
    """(tokens of the example's query, how many of them `text` lacks).

    Args:
        text: the prompt's text as the LLM reads it, after every cut.
    """
    whole = tokenizer.count(example.query)
    if text.endswith(example.input):
        return whole, 0
    found = _find_query(task, example, text)
    if len(found.rstrip()) >= len(example.query.rstrip()):
        return whole, 0
    # A query that is cut inside its last token still counts as cut.
    return whole, min(whole, max(1, whole - tokenizer.count(found)))


def find_kept_input(input: str, text: str) -> int:
    """How many characters at the beginning of `input` are left in a prompt whose end was cut.

    The prompt ends with the input, or with a beginning of it. It may also have items inserted into
    the input (LaMP-1): then it begins with the input's first part, and ends with what follows it.
    """
    if input.startswith(text):
        return len(text)
    pairs = enumerate(zip(input, text, strict=False))
    start = next((place for place, (a, b) in pairs if a != b), len(input))
    last = min(len(input), start + len(text))
    ends = (end for end in range(last, start, -1) if text.endswith(input[start:end]))
    return next(ends, start)


def _find_query(task: Task, example: Example, text: str) -> str:
    """The beginning of the example's query that `text` holds."""
    query, kept = example.query, find_kept_input(example.input, text)
    if found := task.kept_query(example, kept):
        return found
    # A method's own prompt may use the query without the input.
    if query in text:
        return query
    last = min(len(query), len(text))
    ends = (end for end in range(last, 0, -1) if text.endswith(query[:end]))
    return query[: next(ends, 0)]
