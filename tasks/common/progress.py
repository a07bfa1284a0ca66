"""Progress reporting for long-running work."""


class Progress:
    """Receives the progress of long work. This one ignores it; the command line's draws bars."""

    def start(self, what: str, total: int, done: int = 0) -> None:
        """Begin a phase of `total` steps, or return to it when `done` of them are done."""

    def advance(self, steps: int = 1) -> None:
        """Count `steps` more steps of the current phase as done."""

    def answer(self, prompts: int) -> None:
        """An LLM has answered so many prompts more, for steps that aren't counted as done yet."""
