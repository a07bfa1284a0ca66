"""Where long work reports its progress."""


class Progress:
    """Where long work reports to. This one says nothing; the CLI's draws bars."""

    def start(self, what: str, total: int) -> None:
        """A phase of `total` steps begins."""

    def advance(self, steps: int = 1) -> None:
        """`steps` more are done."""
