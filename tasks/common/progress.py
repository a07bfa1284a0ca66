"""Where long work reports its progress."""


class Progress:
    """Receives the progress of long work. This one ignores it; the command line's draws bars."""

    def start(self, what: str, total: int) -> None:
        """A phase of `total` steps begins."""

    def advance(self, steps: int = 1) -> None:
        """`steps` more steps are done."""
