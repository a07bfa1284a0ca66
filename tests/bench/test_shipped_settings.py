"""The shipped suites, models and variants, and how a user's bench.toml extends them."""

import contextlib
import re

import pytest

from bench.grid import plan
from bench.rows import resolve_row
from bench.settings import load_settings
from bench.settings.loading import BENCH, SHIPPED, read_toml
from tasks import TASKS
from tasks.common.errors import ConfigError, DataError
from tests.bench.support import REPOSITORY

FILES = [file for folder in SHIPPED for file in sorted((BENCH / folder).glob("*.toml"))]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder, and where the commands run."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load(folder, text, *overrides):
    (folder / "bench.toml").write_text(text, encoding="utf-8")
    return load_settings(None, overrides)


def config_of(suite, row, task):
    settings = load_settings(None)
    return resolve_row(settings, settings.suites[suite], row, task).config


def test_an_empty_folder_has_every_shipped_suite(folder):
    settings = load_settings()
    assert settings.default_suite == "mini"
    assert set(settings.suites) == {file.stem for file in (BENCH / "suites").glob("*.toml")}
    assert settings.store.runs == folder / "results" / "runs"
    assert settings.source("lamp").root == folder / "data" / "lamp"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_shipped_file_is_readable(file):
    assert max(len(line) for line in file.read_text(encoding="utf-8").splitlines()) < 120
    if file.parent.name == "suites":
        assert list(read_toml(file)["suites"]) == [file.stem]


@pytest.mark.parametrize("file", ["bench.toml", "bench/starter.toml"])
def test_every_suite_can_be_planned(file, tmp_path):
    """With every row resolved on every task, also where a fresh clone has no data."""
    settings = load_settings(REPOSITORY / file, [f"store.cache={tmp_path}"])
    for name, suite in settings.suites.items():
        for task in suite.tasks:
            for row in suite.methods:
                assert resolve_row(settings, suite, row, task).name == row
        if name in {"mini", "first", settings.default_suite}:
            assert plan(settings, name).cells
        else:
            with contextlib.suppress(DataError):
                plan(settings, name, tasks=suite.tasks[:1])


def test_nothing_but_names_is_needed_in_a_users_file(folder):
    """A suite named on the command line wants no `default_suite`; shipped variants are known."""
    text = '[suites.own]\nlike = "mini"\nmethods = ["pplug-whitened", "oppu"]\n'
    settings = load(folder, text)
    assert settings.suite("own")[1].methods == ("pplug-whitened", "oppu")
    assert settings.suite(None)[0] == "mini"
    assert settings.variant("pplug-whitened") == (
        "pplug",
        {
            "labels_in_history": True,
            "whiten": True,
            "encoder_learning_rate": 1e-4,
        },
    )


def test_a_partial_table_changes_only_what_it_sets(folder):
    shipped = load_settings().suites["mini"]
    settings = load(folder, "[suites.mini]\nevaluate_limit = 20\n[methods.bm25]\nk = 8\n")
    assert settings.suites["mini"] == shipped.model_copy(update={"evaluate_limit": 20})
    assert settings.methods["bm25"]["k"] == 8
    assert settings.methods["dense"]["k"] == 4


def test_what_a_shipped_suite_is_like_changes_with_it(folder):
    settings = load(folder, "[suites.mini-long]\nworkers = 1\n")
    assert settings.suites["mini"].workers == 1


@pytest.mark.parametrize(
    ("text", "section", "name", "gone"),
    [
        ('[suites.mini-full]\nlike = "sample"', "suites", "mini-full", "controls"),
        (
            '[suites.mini-long]\ndata = "mini"\ntasks = ["LaMP-3"]\nmethods = ["oracle"]',
            "suites", "mini-long", "training",
        ),
        ('[data.mini]\nroot = "x"', "data", "mini", "mini"),
        ('[llms.scratch-t5]\nmodel = "x"', "llms", "scratch-t5", "scratch"),
        ('[encoders.bge-base]\nmodel = "x"', "encoders", "bge-base", "query_prefix"),
    ],
)  # fmt: skip
def test_a_definition_replaces_the_shipped_one(folder, text, section, name, gone):
    before = getattr(load_settings(), section)[name]
    after = getattr(load(folder, text), section)[name]
    default = type(after).model_fields[gone].get_default(call_default_factory=True)
    assert getattr(before, gone) != default
    assert getattr(after, gone) == default


def test_a_variant_that_names_its_method_replaces_the_shipped_one(folder):
    settings = load(folder, '[methods.oppu]\nmethod = "user-lora"\n')
    assert settings.variant("oppu") == ("user-lora", {})


def test_the_documents_examples_are_settings(folder):
    """All TOML blocks of docs/configuration.md together; their variants have known options."""
    text = (REPOSITORY / "docs" / "configuration.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    settings = load(folder, "\n".join(blocks))
    suite = settings.suites["ours"]
    for row in (*suite.methods, "bm25-8", "pplug-long", "oppu-short", "rspg-small"):
        assert resolve_row(settings, suite, row, "LaMP-3").name == row
    assert settings.suites["mini"].evaluate_limit == 20
    epochs = [
        settings.variant("pplug-long", t)[1]["training"]["epochs"] for t in ("LaMP-2", "LaMP-3")
    ]
    assert epochs == [12, 6]
    assert settings.llm("qwen").decoding.max_new_tokens == 32


def test_a_suite_like_itself_is_explained(folder):
    with pytest.raises(ConfigError, match="leave out `like` to change keys of a shipped suite"):
        load(folder, '[suites.mini]\nlike = "mini"\n')


def test_a_training_has_a_name(folder):
    text = """
[trainings.short]
epochs = 1
batch_size = 4
[methods.a]
method = "pplug"
training = "short"
[methods.b]
method = "a"
training = { epochs = 2 }
[suites.own]
like = "mini"
training = "short"
options.oppu.task_adaptation.training = "short"
"""
    settings = load(folder, text, "suites.mini.training=short")
    short = {"epochs": 1, "batch_size": 4}
    assert settings.variant("a")[1]["training"] == short
    assert settings.variant("b")[1]["training"] == {"epochs": 2, "batch_size": 4}
    assert settings.suites["own"].training == {"learning_rate": 6e-3} | short
    assert settings.suites["own"].options["oppu"]["task_adaptation"]["training"] == {
        "learning_rate": 3e-3,  # of mini-long
        **short,
    }
    assert settings.suites["mini"].training == {"learning_rate": 6e-3} | short
    with pytest.raises(ConfigError, match=r"unknown training 'shrot'. Did you mean 'short'"):
        load(folder, text, "suites.mini.training=shrot")


def test_a_pool_and_a_training_said_once_are_resolved_in_every_suite(folder):
    """Resolved by hand from the papers' terms and what each suite sets."""
    members = config_of("mini-full", "rspg-post-sharp", "LaMP-2").members()
    names = ["zero-shot", "recency", "bm25", "dense", "ropg-rl-sharp", "ropg-kd-sharp"]
    assert list(members) == names
    kd = members["ropg-kd-sharp"][1]
    assert (kd.k, kd.temperature, kd.teacher_temperature) == (4, 0.05, 0.1)
    assert (kd.training.learning_rate, kd.training.epochs) == (3e-4, 3)
    assert (kd.training.batch_size, kd.training.micro_batch_size) == (32, 8)
    for row in ("rspg-pre-sharp", "pool-oracle"):
        assert config_of("mini-full", row, "LaMP-2").members() == members
    rspg = config_of("mini-full", "rspg-post-sharp", "LaMP-2")
    assert (rspg.max_tokens, rspg.teacher_temperature) == (128, 0.1)
    assert (rspg.training.learning_rate, rspg.training.epochs) == (3e-4, 1)
    paper = config_of("lamp-paper", "pool-oracle", "LaMP-2").members()
    assert (paper["ropg-rl"][1].temperature, paper["ropg-rl"][1].training.epochs) == (1.0, 10)


@pytest.mark.parametrize(
    ("suite", "task", "learning_rate", "epochs", "batch_size", "clip"),
    [
        ("lamp-paper", "LaMP-1", 1e-4, 2, 16, 0.3),
        ("mini", "LaMP-1", 5e-3, 2, 4, 0.3),
        ("mini", "LaMP-2", 2e-2, 2, 4, 0.3),
        ("lamp-3-rivals", "LaMP-3", 5e-3, 2, 8, 0.3),
    ],
)
def test_oppus_training(suite, task, learning_rate, epochs, batch_size, clip):
    training = config_of(suite, "oppu", task).training
    assert training.learning_rate == learning_rate
    assert (training.epochs, training.batch_size) == (epochs, batch_size)
    assert training.max_grad_norm == clip


@pytest.mark.parametrize("task", TASKS.names())
def test_pplug_has_one_epoch_on_lamp_3_as_in_the_paper(task):
    config = config_of("lamp-paper", "pplug", task)
    assert config.training.epochs == (1 if task == "LaMP-3" else 2)
    assert (config.training.learning_rate, config.encoder_learning_rate) == (1e-4, 1e-4)
