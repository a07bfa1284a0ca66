"""Every command by its real entry point: what it says, what it exits with."""

import io
import subprocess
import sys

import pandas as pd
import pytest

from tasks import TASKS
from tests.bench import own_task
from tests.bench.support import GOLDS


@pytest.fixture
def project(project):
    project.add("[methods.bm25]\nk = 2\n")
    project.says("right", dict(GOLDS))
    project.probe("broken", "Fails", file=project.root / "there")
    project.suite("zero-shot", "bm25", "right", more='about = "Three rows"')
    project.suite("right", "broken", name="faulty")
    return project


@pytest.fixture
def garden(monkeypatch):
    """A user's own task, registered in addition to LaMP-3."""
    targets = {"LaMP-3": "tasks.lamp:LaMP3", "garden": f"{own_task.__name__}:Garden"}
    monkeypatch.setitem(vars(TASKS), "targets", targets)


@pytest.fixture
def done(project, bench):
    assert bench("run").code == 0
    return project


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from bench import cli; sys.argv = ['bench', '--help']\n"
        "try: cli.main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'transformers', 'pandas', 'numpy', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_names_every_command(bench):
    out = bench("--help").out
    for command in ("run", "plan", "list", "show", "score", "table", "check", "data"):
        assert f"\n  {command}" in out


def test_plan_before_and_after(project, bench):
    before = bench("plan", "--cells").out.splitlines()
    assert [line[:6] for line in before[:3]] == ["left  "] * 3
    assert before[0].endswith("LaMP-3 · zero-shot · t5 · seed 0")
    assert before[-1].startswith("3 cells: 0 done, 0 failed, 3 left; no estimate")
    bench("run", "-m", "right")
    after = bench("plan", "--cells").out.splitlines()
    assert [line[:6] for line in after[:3]] == ["left  ", "left  ", "done  "]
    assert after[2].split()[1] == project.cells()["right"].key
    assert after[-1].startswith("3 cells: 1 done, 0 failed, 2 left")
    assert not (project.runs / "s" / "LaMP-3" / "bm25").exists()


def test_plan_is_a_grid_of_methods_and_tasks(bench):
    bench("run", "faulty")
    out = bench("plan", "faulty", "--set", 'methods=["right", "broken", "copy-input"]').out
    lines = [line.split() for line in out.splitlines()]
    assert ["right", "1/1"] in lines
    assert ["broken", "0/1", "f1"] in lines
    assert ["copy-input", "–"] in lines
    assert "2 cells: 1 done, 1 failed, 0 left" in out


def test_run_reports_counts_and_prints_the_table(done, bench):
    again = bench("run")
    assert again.code == 0
    assert again.err.splitlines() == [
        "suite s: 3 cells: 3 done, 0 failed, 0 left",
        "0 done, 3 kept, 0 failed",
    ]
    assert "s: 3 of 3 cells" in again.out
    assert "\nright " in again.out
    assert "rmse" not in again.out
    assert "rmse" in bench("run", "--all-metrics").out


def test_run_with_a_failed_cell_exits_with_1(project, bench):
    done = bench("run", "faulty")
    assert done.code == 1
    assert "failed  LaMP-3 · broken · seed 0  RuntimeError: the file is not there" in done.err
    assert "1 done, 0 kept, 1 failed" in done.err
    assert "Traceback" not in done.err
    (project.root / "there").touch()
    assert bench("run", "faulty").code == 0


def test_run_takes_a_config_from_elsewhere(project, bench, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = bench("run", "-m", "right", "--config", str(project.config))
    assert done.code == 0
    assert (project.runs / "s" / "LaMP-3" / "right").is_dir()


def test_show_an_example_with_its_prompts(bench):
    out = bench("show", "LaMP-3", "d2").out
    assert out.splitlines()[:4] == [
        "LaMP-3 dev d2, user ann",
        "history: 2 behaviors",
        "gold: 4",
        "query: Review d2.",
    ]
    assert "--- zero-shot" in out
    assert "--- bm25" in out
    assert "--- right" not in out  # it writes no prompt
    prompt = out[out.index("--- bm25") :]
    assert "behaviors ann" in prompt
    assert '1 is the score for "ann wrote item 0."' in prompt


def test_show_the_first_example_of_one_method(bench):
    out = bench("show", "LaMP-3", "-m", "zero-shot").out
    assert out.startswith("LaMP-3 dev d1, user ann")
    assert "--- bm25" not in out


def test_show_says_why_a_method_has_no_prompt(bench):
    out = bench("show", "LaMP-3", "-m", "right", "-m", "pplug", "-m", "zero-shot").out
    assert "\nright: answers without an LLM\n" in out
    assert "\npplug: soft tokens before the zero-shot prompt" in out
    assert "tokens, no items of the history, query read: " in out


def test_show_a_cell(done, bench):
    key = done.cells()["right"].key
    out = bench("show", key).out
    assert out.startswith("LaMP-3 · right · seed 0\n")
    assert f'"key": "{key}"' in out
    assert "mae 0.0000 (n 4, failed 0, unparsed 0)" in out
    assert out.splitlines()[-4:] == ["d1: '5'", "d2: '4'", "d3: '1'", "d4: '2'"]
    assert bench("show", key, "d3").out.splitlines()[-1] == "d3: '1'"


def test_show_a_failed_cell(project, bench):
    bench("run", "faulty")
    out = bench("show", project.cells(suite="faulty")["broken"].key, "--suite", "faulty").out
    assert out.startswith("LaMP-3 · broken · seed 0: failed\nTraceback")


def test_show_finds_a_key_in_any_suites_results(project, bench):
    bench("run", "faulty")
    cells = project.cells(suite="faulty")
    assert bench("show", cells["broken"].key).out.startswith("LaMP-3 · broken · seed 0: failed\n")
    project.suite("bm25", name="other")
    other = bench(
        "show",
        project.cells(
            suite="other",
        )["bm25"].key,
    )
    assert "LaMP-3 · bm25 · t5 · seed 0: not run yet. Run `bench run s` first" in other.err
    bench("run", "other", "--set", "max_input_tokens=99")
    key = project.cells("max_input_tokens=99", suite="other")["bm25"].key
    assert bench("show", key).out.startswith("LaMP-3 · bm25 · t5 · seed 0\n")


def test_show_an_unknown_key_names_the_option(bench):
    error = bench("show", "0123456789ab").err
    assert "Give --suite NAME" in error
    assert "`bench plan NAME --cells`" in error


def test_show_says_which_suites_have_a_task(bench):
    error = bench("show", "LaMP-2").err
    assert error.startswith("error: suite 's' does not have task 'LaMP-2'. Give --suite NAME, one")
    assert "mini" in error
    assert "one of: real-512, real-adapted, real-full, real" in bench("show", "LaMP-6").err


@pytest.mark.usefixtures("garden")
def test_show_takes_the_only_suite_that_has_a_task(project, bench):
    own_task.write_garden(project.root / "data")
    assert "Add it to the `tasks` of a suite" in bench("show", "garden").err
    project.add('[suites.g]\ndata = "tiny"\ntasks = ["garden"]\nmethods = ["majority-label"]\n')
    done = bench("show", "garden")
    assert done.out.startswith("garden dev dev0, user dev0\n"), done.err


def test_score(done, bench):
    assert bench("score").out == "3 cells scored\n"
    assert bench("score", "-m", "right").out == "1 cells scored\n"


@pytest.mark.parametrize(
    ("format", "beginning"),
    [
        ("terminal", "s: 3 of 3 cells"),
        ("markdown", "**s: 3 of 3 cells**"),
        ("latex", "% "),
        ("csv", "task,metric,method,"),
    ],
)
def test_table_in_every_format_and_to_a_file(done, bench, format, beginning, tmp_path):
    printed = bench("table", "-f", format)
    assert printed.code == 0
    assert printed.out.startswith(beginning)
    file = tmp_path / "tables" / f"table.{format}"
    written = bench("table", "-f", format, "--out", str(file))
    assert (written.code, written.out) == (0, "")
    text = file.read_text(encoding="utf-8")
    assert text.startswith(beginning)
    assert "right" in text
    if format != "terminal":
        assert text == printed.out


def test_a_folder_is_no_place_for_a_table(done, bench):
    written = bench("table", "--out", str(done.root))
    assert (written.code, "is a folder" in written.err) == (2, True), written.err


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "cp437"])
def test_any_encoding_of_the_output_will_do(done, bench, encoding, monkeypatch):
    for arguments in (["table"], ["list"], ["plan"], ["plan", "--cells"], ["show", "LaMP-3"]):
        out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", out)
            assert bench(*arguments).code == 0
        out.flush()
        assert out.buffer.getvalue().decode(encoding)


def test_names_with_markup_are_printed_as_they_are(project, bench):
    name = "[red]x[bold]"
    project.add(f'[suites."{name}"]\ntasks = ["LaMP-3"]\nmethods = ["{name}"]\ndata = "tiny"\n')
    project.says(f'"{name}"', dict(GOLDS))
    for arguments in (["run", name], ["plan", name], ["plan", "--cells", name], ["table", name]):
        done = bench(*arguments)
        assert (done.code, name in done.out) == (0, True), done
    assert f"  {name}  " in bench("list").out


def test_a_failure_is_one_line(project, bench):
    project.probe("wordy", "FailsInLines")
    done = bench("run", "--set", 'methods=["wordy"]')
    (line,) = [line for line in done.err.splitlines() if line.startswith("failed")]
    assert line.startswith("failed  LaMP-3 · wordy")
    assert "RuntimeError: first line second line" in line


def test_csv_parses_with_every_metric(done, bench):
    frame = pd.read_csv(io.StringIO(bench("table", "-f", "csv", "--all-metrics").out))
    assert set(frame.metric) == {"mae", "rmse"}
    assert frame[frame.method == "right"].value.tolist() == [0, 0]


def test_table_says_that_results_are_stored_under_other_settings(done, bench):
    shown = bench("table", "--set", "evaluate_limit=2")
    assert shown.code == 0
    assert "3 cells of suite 's' are stored under other settings: give the same --set" in shown.err
    assert bench("table").err == ""


def test_table_narrowed_to_a_row(done, bench):
    out = bench("table", "-f", "markdown", "-m", "right").out
    assert "| right |" in out
    assert "bm25" not in out.split("- ", maxsplit=1)[0]


def test_check_passes_a_good_method(bench):
    done = bench("check", "mean-score", "-t", "LaMP-3")
    assert done.code == 0
    lines = done.out.splitlines()
    assert len(lines) > 10
    assert {line[:12] for line in lines} <= {"pass  LaMP-3", "skip  LaMP-3"}


def test_check_fails_a_bad_method(project, bench):
    project.probe("backwards", "WrongOrder")
    done = bench("check", "backwards", "-t", "LaMP-3")
    assert done.code == 1
    assert "FAIL  LaMP-3  predictions" in done.out


def test_check_says_where_a_method_is_not_applicable(bench):
    done = bench("check", "copy-input", "-t", "LaMP-3")
    assert done.code == 0
    assert done.out == "skip  LaMP-3  not applicable\n"


@pytest.mark.usefixtures("garden")
def test_check_skips_a_task_without_data_unless_it_is_named(bench):
    done = bench("check", "majority-label")
    assert (done.code, "skip  garden  no data" in done.out.splitlines()) == (0, True), done.err
    assert any(line.startswith("pass  LaMP-3") for line in done.out.splitlines())
    named = bench("check", "majority-label", "-t", "garden")
    assert (named.code, named.out) == (2, "")
    assert "no [data.*] table of bench.toml has a train and a dev set of garden" in named.err


@pytest.mark.usefixtures("garden")
def test_check_on_the_first_examples_of_a_source(project, bench):
    done = bench("check", "majority-label", "-t", "garden", "--data", "tiny")
    assert done.code == 2
    assert "garden" in done.err
    assert "bench data download" not in done.err
    assert (
        "skip  garden  no data in [data.tiny]"
        in bench("check", "majority-label", "--data", "tiny").out
    )
    own_task.write_garden(project.root / "data")
    done = bench("check", "majority-label", "-t", "garden", "--data", "tiny")
    assert done.code == 0, done.out
    assert "pass  garden  predictions" in done.out.splitlines()
    assert bench("check", "bm25", "--data", "no").err.startswith("error: unknown data source 'no'")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "ss"], "unknown suite 'ss'. Did you mean 's'"),
        (["plan", "ss", "--set", "seeds=[1]"], "unknown suite 'ss'. Did you mean 's'"),
        (["table", "-m", "bm26"], "unknown method 'bm26'. Did you mean 'bm25'"),
        (["score", "-t", "LaMP-2"], "task 'LaMP-2' is not in the suite. Did you mean 'LaMP-3'"),
        (["run", "--set", "sedes=[1]"], "unknown key 'sedes'. Did you mean 'seeds'"),
        (["run", "--set", "methods.bm25.kk=1"], "`kk`: unknown option. Did you mean 'k'"),
        (["run", "--set", "methods.right.method=no:Such"], "can't be loaded from no:Such"),
        (["run", "--config", "no.toml"], "no.toml: there is no such file"),
        (["run", "--set", "data.tiny.root=no"], "no train set of LaMP-3"),
        (["run", "--set", "llms.t5.model=no"], "no: is not a folder"),
        (["show", "LaMP-33"], "neither a task nor the key of a stored cell"),
        (["show", "LaMP-3", "d9"], "id 'd9': the dev set of LaMP-3 has no such example"),
        (["check", "bm26"], "unknown method 'bm26'. Did you mean 'bm25'"),
        (["check", "bm25", "-t", "LaMP-33"], "unknown task 'LaMP-33'. Did you mean 'LaMP-3'"),
    ],
)  # fmt: skip
def test_a_users_mistake_is_one_line_and_exit_code_2(bench, arguments, message):
    done = bench(*arguments)
    assert done.code == 2
    assert done.err.startswith("error: ")
    assert message in done.err
    assert "Traceback" not in done.err
    assert len(done.err.splitlines()) == 1


def test_an_unknown_command_is_a_usage_error(bench):
    done = bench("rum")
    assert done.code == 2
    assert "No such command 'rum'" in done.err


def test_an_error_of_the_real_command_has_no_traceback(project):
    process = project.start("plan", "ss")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert err == "error: unknown suite 'ss'. Did you mean 's'?\n"
