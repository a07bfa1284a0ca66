"""Progress reporting for long-running work."""


class Progress:
    """Receives progress reports and discards them; the CLI's subclass draws bars."""

    def start(self, what: str, total: int) -> None:
        """Begin a phase of `total` steps."""

    def advance(self, steps: int = 1) -> None:
        """Count `steps` more steps of the current phase as done."""
