"""What the documents show is run: pages with examples, programs, commands, links, tables, pictures."""

import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.settings import load_settings
from methods.models.encoder import Encoder
from tasks.data.loading import load_dataset
from tasks.lamp import LaMP5
from tasks.mini.world import WorldConfig, write_world

REPOSITORY = Path(__file__).parents[1]
DOCS = REPOSITORY / "docs"
DOCUMENTS = [
    *sorted(REPOSITORY.glob("*.md")),
    *sorted(DOCS.rglob("*.md")),
    REPOSITORY / "results/README.md",
]
BENCH = Path(sys.executable).with_name("bench")
COMMAND = re.compile(r"^(bench [^#\n]*)", re.MULTILINE)
LINK = re.compile(r"\]\(([^)#]+?)(?:#[^)]*)?\)|(?:src|srcset)=\"([^\"]+)\"")
SHELL = re.compile(r"```(?:bash|console)\n(.*?)```", re.DOTALL)
STEP = re.compile(
    r"<!-- (?P<act>example|append|replace in): (?P<path>\S+) -->\n```\w+\n(?P<code>.*?)```"
    r"|```bash\n(?P<shell>.*?)```",
    re.DOTALL,
)
"""What a page asks its reader to do, in order: write a file, add to one, change one, run commands."""


@pytest.fixture
def copy(tmp_path):
    """The three packages in another place, where a reader follows a page."""
    for package in ("bench", "methods", "tasks"):
        shutil.copytree(
            REPOSITORY / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(REPOSITORY / "bench.toml", tmp_path)
    return tmp_path


def run(copy, *command):
    """A command of a page, with the copy's own packages."""
    program = {"bench": BENCH, "python": sys.executable}[command[0]]
    return subprocess.run(
        [program, *command[1:]],
        cwd=copy,
        env=os.environ | {"PYTHONPATH": str(copy), "COLUMNS": "200", "HF_HOME": str(copy / "hf")},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def replace(text, diff):
    """`text` after a diff whose removed lines stand in it once."""
    lines = diff.splitlines()
    old = "\n".join(line[1:] for line in lines if line.startswith("-"))
    new = "\n".join(line[1:] for line in lines if line.startswith("+"))
    assert text.count(old) == 1, old
    return text.replace(old, new)


def follow(copy, page):
    """Do all that a page shows, step by step; returns (command, output) of what it ran."""
    outputs = []
    for step in STEP.finditer(page.read_text(encoding="utf-8")):
        if step["shell"] is not None:
            for line in step["shell"].splitlines():
                command = shlex.split(line, comments=True)
                result = run(copy, *command)
                assert result.returncode == 0, f"{line}\n{result.stdout}{result.stderr}"
                outputs.append((line, result.stdout))
            continue
        path = copy / step["path"]
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        match step["act"]:
            case "example":
                assert not text, f"{path} exists"
                text = step["code"]
            case "append":
                text += f"\n{step['code']}"
            case "replace in":
                text = replace(text, step["code"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return outputs


@pytest.mark.parametrize(
    ("page", "shown"),
    [
        ("adding_a_method", r"longest-2@shuffled-user.*\d\.\d"),
        ("adding_a_task", r"majority-label.*1\.000"),
        ("adding_a_metric", r"(?s)within1.*evaluate:close"),
        ("adding_a_data_source", r"mean-score.*\d\.\d"),
    ],
)
def test_pages_for_contributors_work_when_followed(copy, page, shown):
    """Every command succeeds, and the last one shows what the page is about."""
    outputs = follow(copy, DOCS / f"contributing/{page}.md")
    assert re.search(shown, outputs[-1][1]), outputs[-1]


def test_your_data_works_when_followed(copy):
    """From a CSV to a table; what the page shows of the commands' output is what they print."""
    page = DOCS / "your_data.md"
    outputs = follow(copy, page)
    printed = "".join(output for _, output in outputs)
    shown = re.findall(r"<!-- output -->\n```text\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    assert len(shown) == 2
    assert [text for text in shown if text.strip() not in printed] == []
    command, table = outputs[-1]
    assert command == "bench run reviews"
    assert re.search(r"pplug-whitened +\d\.\d", table), table


def test_every_page_for_contributors_is_followed():
    pages = {path.stem for path in (DOCS / "contributing").glob("*.md")}
    assert pages == {"adding_a_method", "adding_a_task", "adding_a_metric", "adding_a_data_source"}


@pytest.mark.parametrize(
    ("document", "file", "method", "lines"),
    [
        ("README.md", "persona", "persona", 12),
        ("docs/prefix_method.md", "mean_prefix", "mean-prefix", 30),
    ],
)
def test_a_new_method_is_one_short_file(copy, document, file, method, lines):
    steps = STEP.finditer((REPOSITORY / document).read_text(encoding="utf-8"))
    (code,) = [step["code"] for step in steps if step["path"] == f"methods/{file}.py"]
    assert len([line for line in code.splitlines() if line.strip()]) <= lines
    assert method not in run(copy, "bench", "list").stdout.split()
    (copy / "methods" / f"{file}.py").write_text(code, encoding="utf-8")
    listed = run(copy, "bench", "list")
    assert listed.returncode == 0, listed.stderr
    assert method in listed.stdout.split()
    checked = run(copy, "bench", "check", method, "-t", "LaMP-3")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    states = [line.split()[0] for line in checked.stdout.splitlines()]
    assert states.count("pass") >= 11
    assert set(states) <= {"pass", "skip"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_commands_are_as_the_command_line_has_them(document):
    """Each is parsed (with --help, so that nothing runs); suites that it names exist."""
    text = document.read_text(encoding="utf-8")
    settings = load_settings(REPOSITORY / "bench.toml")
    own = set(re.findall(r"^\[suites\.(\S+)\]", text, re.MULTILINE))  # the page adds these itself
    for command in COMMAND.findall("\n".join(SHELL.findall(text))):
        _, *arguments = shlex.split(command)
        result = CliRunner().invoke(app, [*arguments, "--help"])
        assert result.exit_code == 0, f"{command}: {result.output}"
        if arguments[0] in {"run", "plan", "score", "table"}:
            name = next((a for a in arguments[1:] if not a.startswith("-")), None)
            if name not in own:
                settings.suite(name)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_links_lead_somewhere(document):
    links = ["".join(found) for found in LINK.findall(document.read_text(encoding="utf-8"))]
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (document.parent / link).exists()] == []


def test_tables_hold_the_stored_outcome():
    """Where this fails, `python docs/tools/tables` writes them."""
    tables = runpy.run_path(str(DOCS / "tools/tables"))
    texts = {page.stem: page.read_text(encoding="utf-8") for page in tables["PAGES"]}
    counts = {name: text.count("<!-- table: ") for name, text in texts.items()}
    assert {name: count for name, count in counts.items() if count} == {
        "README": 2, "index": 2, "lamp_mini": 6, "on_a_gpu": 2, "real": 5, "real_gpu": 3,
        "statistics": 1, "what_works_when": 3,
    }  # fmt: skip
    assert [name for name, text in texts.items() if tables["render"](text) != text] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_picture_is_what_its_script_draws(scheme):
    """Where this fails, `python docs/tools/draw_method.py` draws it."""
    drawing = runpy.run_path(str(DOCS / "tools/draw_method.py"))
    picture = (DOCS / f"pictures/method-{scheme}.svg").read_text(encoding="utf-8")
    assert drawing["draw"](drawing["PALETTES"][scheme]) == picture
    assert min(int(size) for size in re.findall(r'font-size="(\d+)"', picture)) >= 25
    assert "http" not in picture.replace("http://www.w3.org/2000/svg", "")


EXAMPLES = [
    path for path in sorted((DOCS / "examples").glob("*.py")) if "sys.argv" not in path.read_text()
]


@pytest.mark.parametrize("program", EXAMPLES, ids=lambda path: path.stem)
def test_programs_of_the_gallery_run(copy, program):
    if program.stem == "load_results":
        stored = run(copy, "bench", "run", "mini-limits", "-t", "LaMP-3")
        assert stored.returncode == 0, stored.stderr
    result = run(copy, "python", str(program))
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip()


def test_the_gallery_lists_every_program():
    page = (DOCS / "gallery.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"\(examples/(\w+\.py)\)", page))
    assert listed == {path.name for path in (DOCS / "examples").glob("*.py")}


def test_readme_deploys_a_plug_as_the_page_does():
    page = (DOCS / "deploying_a_plug.md").read_text(encoding="utf-8")
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    for line in ("from methods.models.opening import load_llm",
                 "from methods.prefix.deploy import DeployedPlug",
                 "plug = DeployedPlug.from_pretrained(plug_folder, load_llm(llm_folder))",
                 "print(plug.respond(prompt, past))"):  # fmt: skip
        assert line in page
        assert line in readme


@pytest.mark.parametrize(
    ("html", "remote"),
    [
        ('<script src="https://example.org/x.js"></script>', True),
        ('<link rel="stylesheet" href="//example.org/x.css">', True),
        ("@font-face { src: url(https://example.org/x.woff2) }", True),
        ('<source media="(x)" srcset="http://example.org/x.svg">', True),
        ('<a href="https://example.org">a link to follow</a>', False),
        ('<script src="assets/x.js"></script><link href="x.css">', False),
    ],
)
def test_the_site_refuses_what_loads_from_a_network(tmp_path, html, remote):
    pytest.importorskip("mkdocs")
    check = runpy.run_path(str(DOCS / "tools/site_hooks.py"))["on_post_build"]
    (tmp_path / "page.html").write_text(html)
    if remote:
        with pytest.raises(Exception, match="from a network"):
            check(SimpleNamespace(site_dir=tmp_path))
    else:
        check(SimpleNamespace(site_dir=tmp_path))


def test_the_tool_that_writes_the_budgets_measures_every_method(tmp_path):
    """On three queries of a small LaMP-mini world, with the embedded tokenizer and encoder."""
    world = WorldConfig(users=12, seed=0)
    write_world(tmp_path / "world", world, tasks=["LaMP-5"], splits=["time"])
    dev = load_dataset(LaMP5(), tmp_path / "world", split="time", set="dev", limit=3)
    tool = runpy.run_path(str(DOCS / "tools" / "write_budgets.py"))
    weights = REPOSITORY / "methods/embedded/weights/llm"
    llm = tool["TokenizerOnly"](tool["open_tokenizer"](weights, chat_template=False))
    encoder = Encoder.open(load_settings().encoder("embedded"), cache=tmp_path)
    rows = list(tool["measure"]("LaMP-5", dev.examples, llm, encoder, tmp_path / "cache"))
    assert [label for label, _ in rows] == list(tool["ROWS"])
    for label, totals in rows:
        assert [found.n for found in totals] == [3] * 6
        assert totals[-1].query_read_mean == 1.0, label  # 512 tokens hold any of these
        assert label in "".join(tool["write_table"]("LaMP-5", rows))
