"""The reasoning that some LLMs write before an answer, between <think> and </think>."""

OPEN, CLOSE = "<think>", "</think>"


def cut_reasoning(text: str, *, opened: bool = False) -> str:
    """What follows the reasoning; "" where the reasoning has no end.

    Args:
        opened: the prompt already ends inside the reasoning, as some chat templates have it.

    Returns:
        The text behind the last closing tag. Without one: "" if reasoning was opened, whatever
        was written before it, and otherwise the whole text.
    """
    _, closed, answer = text.rpartition(CLOSE)
    if closed:
        return "" if OPEN in answer else answer.strip()
    return "" if opened or OPEN in text else text


def is_open(prompt: str) -> bool:
    """Whether a prompt ends inside a reasoning."""
    return prompt.rfind(OPEN) > prompt.rfind(CLOSE)
