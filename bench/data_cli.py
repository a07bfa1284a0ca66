"""`bench data …`: download the official files, audit a folder, write generated files."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from bench.settings_cli import CONFIG, Config

app = typer.Typer(
    help="Download, audit and generate data.", no_args_is_help=True, rich_markup_mode=None
)

SplitName = Literal["user", "time"]
Tasks = Annotated[list[str] | None, typer.Argument(help="Tasks; all LaMP tasks if omitted.")]
Dataset = Annotated[SplitName, typer.Option(help="LaMP's split.")]
Root = Annotated[
    Path | None, typer.Option(help="The folder that holds user/ and time/; [data.lamp] if omitted.")
]
Sets = Annotated[str, typer.Option(help="Sets, separated by commas.")]
SOURCE = "lamp"
"""The [data.*] table whose root is meant where none is given."""


def _root(root: Path | None, config: Path | None) -> Path:
    if root is not None:
        return root
    from bench.settings import load_settings
    from tasks.common.errors import ConfigError

    found = load_settings(config).source(SOURCE).root
    if found is None:
        raise ConfigError(
            f"[data.{SOURCE}] names no root", file=config, hint="Add one, or give --root"
        )
    return found


@app.command()
def download(
    task: Tasks = None,
    split: Dataset = "time",
    sets: Sets = "train,dev,test",
    root: Root = None,
    url: Annotated[str | None, typer.Option(help="A mirror of the official site.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for an answer.")] = 60.0,
    config: Config = CONFIG,
) -> None:
    """Fetch official LaMP files; resumable, with sizes and SHA-256 recorded beside them."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TimeRemainingColumn

    from tasks import TASKS
    from tasks.common.errors import ConfigError
    from tasks.download import OFFICIAL
    from tasks.download import download as fetch
    from tasks.loading import SETS

    wanted = [name for name in SETS if name in sets.split(",")]
    if len(wanted) != len(sets.split(",")):
        raise ConfigError(f"--sets {sets!r} names an unknown set", hint=f"Known: {', '.join(SETS)}")
    folder, console = _root(root, config), Console(stderr=True)
    columns = "{task.description}", BarColumn(), DownloadColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        shown: dict[Path, TaskID] = {}

        def progress(path: Path, done: int, total: int | None) -> None:
            if path not in shown:
                shown[path] = bars.add_task(path.name, total=total)
            bars.update(shown[path], completed=done, total=total)

        for name in task or TASKS.names():
            for file in fetch(
                TASKS.get(name)(),
                folder,
                split=split,
                sets=wanted,
                base_url=url or OFFICIAL,
                progress=progress,
                timeout=timeout,
            ):
                typer.echo(f"{file.status:8}{file.bytes:>12}  {file.sha256[:16]:16}  {file.path}")


@app.command()
def verify(
    task: Tasks = None, split: Dataset = "time", root: Root = None, config: Config = CONFIG
) -> None:
    """Audit a data folder: counts, histories, and what could mislead. Exit code 1 on errors."""
    from tasks import TASKS
    from tasks.audit import audit

    folder = _root(root, config)
    faulty = False
    for name in task or TASKS.names():
        found = audit(TASKS.get(name)(), folder, split)
        faulty |= not found.ok
        typer.echo(f"{found.task} ({found.split} split)")
        for facts in found.sets:
            typer.echo(
                f"  {facts.set:5} {facts.examples} queries, {facts.users} users, history "
                f"{facts.history_mean:.1f}±{facts.history_sd:.1f} (min {facts.history_min}, median "
                f"{facts.history_median:g}, max {facts.history_max}), {facts.empty_histories} empty"
                + ("" if facts.has_golds else ", no golds")
            )
            if facts.answers:
                answers = ", ".join(f"{gold}: {count}" for gold, count in facts.answers.items())
                typer.echo(f"        answers {answers}")
        for finding in found.findings:
            ids = ", ".join(finding.ids[:5]) + (", …" if len(finding.ids) > 5 else "")
            place = f" [{finding.set}]" if finding.set else ""
            typer.echo(f"  {finding.severity}: {finding.kind}{place}: {finding.message} {ids}")
    if faulty:
        raise typer.Exit(1)


@app.command()
def sample(
    root: Annotated[Path, typer.Argument(help="The folder to write to.")],
    seed: Annotated[int, typer.Option(help="Another seed, other users.")] = 0,
) -> None:
    """Write the small generated set, in LaMP's official layout."""
    from tasks.sample import write_sample

    write_sample(root, seed=seed)
    typer.echo(f"written to {root}")


@app.command()
def mini(
    root: Annotated[Path, typer.Argument(help="The folder to write to.")],
    source: Annotated[str, typer.Option(help="The [data.*] table that holds the knobs.")] = "mini",
    set: Annotated[
        list[str] | None, typer.Option(help="Override a key, e.g. data.mini.mini.seed=3.")
    ] = None,
    config: Config = CONFIG,
) -> None:
    """Write a world of LaMP-mini, both splits, in LaMP's official layout."""
    from bench.settings import load_settings
    from tasks.common.errors import ConfigError
    from tasks.mini.world import write_world

    world = load_settings(config, set or []).source(source).mini
    if world is None:
        raise ConfigError(
            f"[data.{source}] is no world of LaMP-mini",
            file=config,
            hint="Name a table with `mini = { … }`",
        )
    write_world(root, world)
    typer.echo(f"written to {root}")
