"""`bench data …`: download official files, verify a data folder, write generated data."""

from collections.abc import Collection
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bench.git_cli import git
from bench.lamp_qa_cli import lamp_qa
from bench.longlamp_cli import longlamp
from bench.output import echo
from bench.preview_cli import preview
from bench.settings_cli import CONFIG, Config

if TYPE_CHECKING:
    from tasks import Task

app = typer.Typer(
    help="Preview, download, verify and generate data.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command()(preview)

app.command(no_args_is_help=True)(git)
app.command(no_args_is_help=True)(longlamp)
app.command("lamp-qa", no_args_is_help=True)(lamp_qa)

SplitName = Literal["user", "time"]
Tasks = Annotated[
    list[str] | None, typer.Argument(help="Names of tasks, e.g. LaMP-3 (default: all tasks).")
]
Split = Annotated[
    SplitName, typer.Option(help="Which of LaMP's splits: by user, or by time within each user.")
]
Root = Annotated[
    Path | None,
    typer.Option(
        help="The folder that contains user/ and time/ (default: the root in [data.lamp])."
    ),
]
Sets = Annotated[str, typer.Option(help="Names of sets, separated by commas.")]
SHOWN_IDS = 5
"""Number of example ids that a finding shows."""
SOURCE = "lamp"
"""The [data.*] table whose root is the default."""


def _root(root: Path | None, config: Path | None) -> Path:
    if root is not None:
        return root
    from bench.settings import load_settings
    from tasks.common.errors import ConfigError

    default = load_settings(config).source(SOURCE).root
    if default is None:
        raise ConfigError(
            f"[data.{SOURCE}] has no root",
            file=config,
            hint="Add `root = …` to that table, or pass --root",
        )
    return default


def _require_new(root: Path) -> None:
    """Raise ConfigError where a folder of generated data would overwrite files."""
    from tasks.common.errors import ConfigError

    if root.exists() and not (root.is_dir() and not any(root.iterdir())):
        raise ConfigError(
            "exists already, and nothing in it is overwritten",
            file=root,
            hint="Name a new or an empty folder",
        )


def _find_tasks(root: Path, split: SplitName) -> list[str]:
    """All registered tasks, but LongLaMP's and LaMP-QA's only where `root` holds them."""
    from tasks import TASKS, lamp_qa, longlamp
    from tasks.common.paths import expand_home

    folders = {
        task.name: expand_home(root) / split / task.folder for task in (*longlamp.ALL, *lamp_qa.ALL)
    }
    return [name for name in TASKS.names() if name not in folders or folders[name].exists()]


def _choose_official(names: list[str] | None, declared: Collection[str]) -> "list[Task]":
    """These tasks, or all of LaMP's. Raises ConfigError for one that LaMP doesn't publish.

    Args:
        declared: names of tasks that bench.toml declares.
    """
    from tasks import TASKS
    from tasks.common.errors import ConfigError
    from tasks.lamp import ALL, is_official

    chosen = []
    for name in names or [task.name for task in ALL]:
        task = None if name in declared else TASKS.get(name)()
        if task is None or not is_official(task):
            raise ConfigError(
                f"{task.name if task else name} is not one of LaMP's tasks, so there is nothing to "
                "download",
                hint=f"Known: {', '.join(task.name for task in ALL)}",
            )
        chosen.append(task)
    return chosen


@app.command()
def download(
    task: Tasks = None,
    split: Split = "time",
    sets: Sets = "train,dev,test",
    root: Root = None,
    url: Annotated[
        str | None,
        typer.Option(help="The address of a mirror to use instead of the official site."),
    ] = None,
    timeout: Annotated[
        float, typer.Option(help="Seconds to wait for a response or for the next byte.")
    ] = 60.0,
    config: Config = CONFIG,
) -> None:
    """Download the official LaMP files.

    Interrupted downloads are resumed. Sizes and SHA-256 hashes are recorded in SHA256.json.
    """
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TimeRemainingColumn

    from bench.settings import load_settings
    from tasks.common.errors import ConfigError
    from tasks.data.download import OFFICIAL
    from tasks.data.download import download as fetch
    from tasks.data.layout import SETS

    requested = [name for name in SETS if name in sets.split(",")]
    if len(requested) != len(sets.split(",")):
        raise ConfigError(
            f"--sets {sets!r} contains an unknown set", hint=f"Known sets: {', '.join(SETS)}"
        )
    if not 0 < timeout < inf:
        raise ConfigError(
            f"--timeout {timeout:g} is not a time to wait", hint="Give seconds above 0"
        )
    folder, console = _root(root, config), Console(stderr=True)
    columns = "{task.description}", BarColumn(), DownloadColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        shown: dict[Path, TaskID] = {}

        def progress(path: Path, done: int, total: int | None) -> None:
            if path not in shown:
                shown[path] = bars.add_task(path.name, total=total)
            bars.update(shown[path], completed=done, total=total)

        for official in _choose_official(task, load_settings(config).tasks):
            for file in fetch(
                official,
                folder,
                split=split,
                sets=requested,
                base_url=url or OFFICIAL,
                progress=progress,
                timeout=timeout,
            ):
                echo(f"{file.status:8}{file.bytes:>12}  {file.sha256[:16]:16}  {file.path}")


@app.command()
def verify(
    task: Tasks = None, split: Split = "time", root: Root = None, config: Config = CONFIG
) -> None:
    """Verify data: print statistics of each set, and findings that could mislead.

    A task that bench.toml declares by a table has data of its own; all others' are in --root.
    Without names: the declared tasks if there are any and no --root is given, else LaMP's and all
    others that --root has a folder of. The exit code is 1 if any finding is an error.
    """
    from bench.settings import load_settings
    from tasks.data.audit import audit
    from tasks.table.auditing import audit_table

    settings = load_settings(config)
    faulty = False
    for name in (
        task or (root is None and list(settings.tasks)) or _find_tasks(_root(root, config), split)
    ):
        if name in settings.tasks:
            report = audit_table(name, settings.tasks[name], split)
        else:
            report = audit(settings.task(name)(), _root(root, config), split)
        faulty |= not report.ok
        echo(f"{report.task} ({report.split} split)")
        for stats in report.sets:
            echo(
                f"  {stats.set:5} {stats.examples} queries, {stats.users} users, history length "
                f"{stats.history_mean:.1f} ± {stats.history_sd:.1f} (min {stats.history_min}, "
                f"median {stats.history_median:g}, max {stats.history_max}), "
                f"{stats.empty_histories} empty" + ("" if stats.has_golds else ", no golds")
            )
            if stats.answers:
                answers = ", ".join(f"{gold}: {count}" for gold, count in stats.answers.items())
                echo(f"        answers: {answers}")
        for finding in report.findings:
            echo(f"  {finding.describe(SHOWN_IDS)}")
    if faulty:
        raise typer.Exit(1)


@app.command()
def sample(
    root: Annotated[Path, typer.Argument(help="The folder to write to.")],
    seed: Annotated[int, typer.Option(help="The seed; another seed generates other users.")] = 0,
) -> None:
    """Write a small generated sample of all tasks, in LaMP's official layout."""
    from tasks.sample.writer import write_sample

    _require_new(root)
    write_sample(root, seed=seed)
    echo(f"Wrote {root}")


@app.command()
def mini(
    root: Annotated[Path, typer.Argument(help="The folder to write to.")],
    source: Annotated[
        str, typer.Option(help="The [data.*] table with the options of the world.")
    ] = "mini",
    set: Annotated[
        list[str] | None,
        typer.Option(help="Override a setting, e.g. data.mini.mini.seed=3; may be repeated."),
    ] = None,
    config: Config = CONFIG,
) -> None:
    """Write a world of LaMP-mini with both splits, in LaMP's official layout."""
    from bench.settings import load_settings
    from tasks.common.errors import ConfigError
    from tasks.mini.world import write_world

    world = load_settings(config, set or []).source(source).mini
    if world is None:
        raise ConfigError(
            f"[data.{source}] does not define a world of LaMP-mini",
            file=config,
            hint="Pass --source with a table that has `mini = { … }`",
        )
    _require_new(root)
    write_world(root, world)
    echo(f"Wrote {root}")
