"""Numbers with their nouns, as messages write them."""


def count(number: int, noun: str, plural: str | None = None) -> str:
    """The number and its noun: "1 row", "2 rows"; `plural` where it doesn't end in a plain s."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
