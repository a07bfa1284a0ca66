"""`bench judge`: stored answers scored by an LLM, by the rubrics of their questions."""

from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli_options import Format, Methods, SetAsRun, Suite, Tasks, UnequalTerms
from bench.output import make_console
from bench.settings_cli import CONFIG, Config
from bench.texts_cli import FormatOption, Out, show_table
from tasks.common.progress import Progress

if TYPE_CHECKING:
    from rich.status import Status


class _StatusLine(Progress):
    """Shows how many calls of a phase are made, in a terminal only."""

    def __init__(self, status: "Status") -> None:
        self.status = status
        self.what, self.total, self.done = "", 0, 0

    def start(self, what: str, total: int, done: int = 0) -> None:
        self.what, self.total, self.done = what, total, done
        self._draw()

    def advance(self, steps: int = 1) -> None:
        self.done += steps
        self._draw()

    def _draw(self) -> None:
        self.status.update(f"judging {self.what}  {self.done}/{self.total} calls")


def judge(
    llm: Annotated[str, typer.Option("--llm", help="The judge, an [llms.*] of bench.toml.")],
    suite: Suite = None,
    method: Methods = [],  # noqa: B006  typer's way to declare a repeatable option
    task: Tasks = [],  # noqa: B006
    set: SetAsRun = [],  # noqa: B006
    checks: Annotated[
        bool,
        typer.Option(
            help="Judge each answer three times more: asked in another order, cut to equal "
            "length, and by another user's rubric."
        ),
    ] = True,
    words: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Words after which answers are cut for equal length (default: the mean of the "
            "row with the shortest answers).",
        ),
    ] = None,
    max_input_tokens: Annotated[
        int, typer.Option(min=1, help="Budget of a judge's prompt; a longer one loses its end.")
    ] = 8192,
    format: FormatOption = Format.TERMINAL,
    out: Out = None,
    unequal_terms: UnequalTerms = False,
    config: Config = CONFIG,
) -> None:
    """Score stored answers by their questions' rubrics, with an LLM as the judge.

    One call an aspect. Prompts and replies are stored next to the answers, which don't change: the
    same command resumes a stopped one, and shows a finished one's table without opening the judge.
    """
    from bench.grid import plan
    from bench.judging import Judge, build_judgements
    from bench.settings import load_settings

    settings = load_settings(config, set, suite)
    grid = plan(settings, suite, methods=method, tasks=task)
    with make_console(stderr=True).status("judging …") as status:
        asked = Judge(
            settings, llm, max_input_tokens=max_input_tokens, progress=_StatusLine(status)
        )
        table = build_judgements(
            settings, grid, asked, checks=checks, words=words, allow_unequal=unequal_terms
        )
    show_table(table, format, out)
