"""Progress reporting for long-running work."""


class Progress:
    """Receives the progress of long work. This one ignores it; the command line's draws bars."""

    def start(self, what: str, total: int) -> None:
        """Begin a phase of `total` steps."""

    def advance(self, steps: int = 1) -> None:
        """Count `steps` more steps of the current phase as done."""
