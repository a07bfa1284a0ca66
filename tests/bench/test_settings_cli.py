"""`bench list` and `bench init`, in a folder without a bench.toml too."""

import subprocess
import sys

import pytest

from bench.listing import describe, summarize
from bench.settings import load_settings


@pytest.fixture
def empty(tmp_path, monkeypatch, bench):
    """Commands in an empty folder."""
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_list_in_an_empty_folder_shows_what_is_shipped(empty, bench):
    out = bench("list").out.splitlines()
    sections = ["tasks", "methods", "variants", "pools", "data", "llms", "encoders", "suites"]
    assert [line for line in out if not line.startswith(" ")] == sections
    shown = {line.split()[0]: line.split(maxsplit=1)[1] for line in out if line.startswith(" ")}
    assert shown["LaMP-3"] == "Personalized product rating, 1 to 5"
    assert shown["pplug"].startswith("PPlug: a user's whole history as one soft token")
    assert shown["pplug-whitened-top-4"] == "pplug-whitened: history_top_k = 4"
    assert shown["rspg-pre-sharp"].startswith("rspg-pre: ")
    assert shown["flan-t5-base"] == "google/flan-t5-base"
    assert shown["mini"].startswith("6 tasks × 9 methods (default). LaMP-mini, all six tasks")


def test_list_shows_one_section(empty, bench):
    out = bench("list", "pools").out.splitlines()
    assert out[0] == "pools"
    assert [line.split()[0] for line in out[1:]] == ["paper", "sharp"]
    assert bench("list", "pool").code == 2


def test_list_shows_the_users_own_names_as_they_are(project, bench):
    project.add('[methods."[red]x"]\nmethod = "bm25"\nk = 3\n')
    project.suite("bm25", name="s", more='about = "[bold]One[/bold] row"')
    out = bench("list").out
    assert "  [red]x  " in out
    assert "bm25: k = 3" in out
    assert "1 task × 1 method (default). [bold]One[/bold] row" in out


def test_every_registered_class_and_variant_has_a_line():
    for section, entries in describe(load_settings()).items():
        for name, text in entries.items():
            assert text, f"{section}: {name}"
            assert "\n" not in text


def test_a_line_is_read_without_importing(tmp_path, monkeypatch):
    text = '"""The module."""\nimport nothing_such\nclass A:\n    """The class.\n\n    More."""\n'
    (tmp_path / "broken_plugin.py").write_text(text)
    (tmp_path / "not_python.py").write_text("class")
    monkeypatch.syspath_prepend(tmp_path)
    assert summarize("broken_plugin:A", alone=False) == "The class"
    assert summarize("broken_plugin:A", alone=True) == "The module"
    assert summarize("broken_plugin:B", alone=False) == "The module"
    assert summarize("not_python:A", alone=True) == ""
    assert summarize("no_such_module_anywhere:A", alone=True) == ""


def test_list_imports_no_torch(empty):
    code = (
        "import sys; from bench import cli; sys.argv = ['bench', 'list']\n"
        "try: cli.main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'transformers', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_init_writes_a_file_that_runs(empty, bench):
    done = bench("init")
    assert (done.code, done.out) == (0, "written: bench.toml; next: bench run\n")
    settings = load_settings()
    assert settings.suite(None)[0] == "first"
    assert bench("plan").code == 0
    assert bench("run", "-m", "oracle", "--set", "evaluate_limit=5").code == 0
    assert (empty / "results" / "runs" / "first" / "LaMP-2" / "oracle").is_dir()


def test_init_never_overwrites(empty, bench):
    (empty / "bench.toml").write_text("# mine\n")
    done = bench("init")
    assert done.code == 2
    assert "error: bench.toml already exists. Edit it, or name another file." in done.err
    assert (empty / "bench.toml").read_text() == "# mine\n"
    assert bench("init", "other.toml").code == 0
    assert (empty / "other.toml").is_file()


def test_a_suite_runs_in_an_empty_folder(empty, bench):
    done = bench("run", "mini-limits", "-t", "LaMP-3", "--set", "evaluate_limit=10")
    assert done.code == 0, done.err
    assert "mini-limits: 9 of 9 cells" in done.out
    assert {path.name for path in empty.iterdir()} == {"results"}


def test_a_method_outside_the_suite_is_run_shown_and_tabled(project, bench):
    project.suite("zero-shot")
    assert bench("run", "-m", "mean-score").code == 0
    assert (project.runs / "s" / "LaMP-3" / "mean-score").is_dir()
    assert "\nmean-score " in bench("table", "-m", "mean-score").out
    assert "--- bm25" in bench("show", "LaMP-3", "-m", "bm25").out


def test_a_named_file_must_be_there(empty, bench):
    done = bench("list", "--config", "bench.toml")
    assert done.code == 2
    assert (
        "bench.toml: there is no such file. Give --config PATH, or write one: bench init"
        in done.err
    )


def test_list_marks_data_that_are_not_there_and_inherits_no_description(project, bench):
    project.suite("bm25", more='about = "One row"')
    project.add('[suites.two]\nlike = "s"\n[data.away]\nroot = "away"\n')
    out = bench("list").out
    lines = {line.split()[0]: line for line in out.splitlines() if line.startswith("  ")}
    assert lines["away"].endswith("/away (not downloaded)")
    assert lines["tiny"].endswith("/data")
    assert lines["two"].endswith("1 task × 1 method.")
