"""A cell's key holds what decides its predictions, and nothing else."""

import json
import shutil

import pytest

from methods import METHODS
from tasks.common.errors import ConfigError, DataError
from tests.bench.probes import SecondVersion
from tests.tasks.support import review, write_set

ROWS = ("zero-shot", "bm25", "dense", "majority-label", "pplug")


@pytest.fixture
def project(project):
    project.add("[methods.bm25]\nk = 4\n")
    project.suite(*ROWS)
    return project


def keys(project, *overrides, suite=None):
    return {row: cell.key for row, cell in project.cells(*overrides, suite=suite).items()}


def changed(project, *overrides):
    before, after = keys(project), keys(project, *overrides)
    return {row for row in before if before[row] != after[row]}


LLM_ROWS = {"zero-shot", "bm25", "dense", "pplug"}


@pytest.mark.parametrize(
    ("override", "rows"),
    [
        ("methods.bm25.k=5", {"bm25"}),
        ("methods.pplug.attention=false", {"pplug"}),
        ("seeds=[1]", {"pplug"}),  # no seed changes the others
        ("train_limit=6", set(ROWS)),
        ("evaluate_limit=3", set(ROWS)),
        ("max_input_tokens=128", LLM_ROWS),
        ("llms.t5.decoding.num_beams=1", LLM_ROWS),
        ("llms.t5.dtype=bfloat16", LLM_ROWS),
        ("llms.t5.adapt=full", LLM_ROWS),
        ("encoders.bert.pooling=cls", {"dense", "pplug"}),
        ("encoders.bert.query_prefix=q: ", {"dense", "pplug"}),
    ],
)
def test_what_decides_the_predictions_changes_the_key(project, override, rows):
    assert changed(project, override) == rows


@pytest.mark.parametrize(
    "override",
    [
        "llms.t5.batch_size=1",
        "llms.t5.device=meta",
        "encoders.bert.batch_size=1",
        "encoders.bert.device=meta",
        "scoring.unparsed=pplug",
        "scoring.aggregator=lamp",
        "scoring.resamples=10",
        "reference=bm25",
        "about=Another text",
        "store.runs=elsewhere",
        "store.cache=elsewhere",
        'methods=["pplug", "majority-label", "dense", "bm25", "zero-shot"]',
    ],
)
def test_what_decides_nothing_leaves_the_key(project, override):
    assert changed(project, override) == set()


def test_another_suites_name_leaves_the_key_but_not_the_folder(project):
    project.suite(*ROWS, name="other")
    assert keys(project, suite="other") == keys(project)
    folders = [project.cells(suite=suite)["bm25"].folder for suite in ("s", "other")]
    assert [str(folder.relative_to(project.runs)) for folder in folders] == [
        f"{suite}/LaMP-3/bm25/0-{keys(project)['bm25']}" for suite in ("s", "other")
    ]


def test_data_count_by_their_bytes(project):
    before = keys(project)
    folder = project.root / "data" / "time" / "LaMP_3"
    moved = project.root / "data" / "moved"
    shutil.copytree(folder, moved / "time" / "LaMP_3")
    assert keys(project, f"data.tiny.root={moved}") == before
    path = moved / "time" / "LaMP_3" / "train" / "train_questions.json"
    path.write_text(path.read_text().replace("Train 7.", "Train 8."), encoding="utf-8")
    after = keys(project, f"data.tiny.root={moved}")
    assert not set(before.values()) & set(after.values())


def test_a_models_files_count_not_its_place(project, models):
    before = keys(project)
    copy = project.root / "copy"
    shutil.copytree(models / "t5", copy)
    assert keys(project, f"llms.t5.model={copy}") == before
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"dropout_rate": 0.2}))
    after = keys(project, f"llms.t5.model={copy}")
    assert {row for row in before if before[row] != after[row]} == LLM_ROWS


def test_models_that_options_name_count_by_their_files(project, models):
    """PAG's summarizer, wherever it stands: alone, as a text side, in a pool."""
    copy = project.root / "writer"
    shutil.copytree(models / "t5", copy)
    summarizer = f'summarizer = {{ model = "{copy}" }}'
    project.add(f"""
[methods.pag]
{summarizer}

[methods.pplug-pag]
method = "pplug"
text = "pag"
text_options = {{ {summarizer} }}

[methods.pool]
method = "pool-oracle"
pool = ["zero-shot", "pag"]
""")
    rows = 'methods=["zero-shot", "pag", "pplug-pag", "pool"]'
    before = keys(project, rows)
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"dropout_rate": 0.2}))
    after = keys(project, rows)
    assert {row for row in before if before[row] != after[row]} == {"pag", "pplug-pag", "pool"}


def test_a_methods_version_counts(project, monkeypatch):
    project.probe("says", "Says")
    first = keys(project, 'methods=["says"]')
    monkeypatch.setattr("tests.bench.probes.Says", SecondVersion)
    assert keys(project, 'methods=["says"]') != first


def test_a_tasks_version_counts(project, monkeypatch):
    before = keys(project)
    monkeypatch.setattr("tasks.lamp.LaMP3.version", 2)
    assert not set(before.values()) & set(keys(project).values())


def test_models_that_a_method_does_not_use_are_not_in_its_identity(project):
    cells = project.cells()
    uses = {
        row: {part for part in ("llm", "encoder") if getattr(cell.depends_on, part) is not None}
        for row, cell in cells.items()
    }
    assert uses == {
        "zero-shot": {"llm"},
        "bm25": {"llm"},
        "dense": {"llm", "encoder"},
        "majority-label": set(),
        "pplug": {"llm", "encoder"},
    }
    assert [(c.llm, c.encoder) for c in cells.values()] == [
        ("t5", None), ("t5", None), ("t5", "bert"), (None, None), ("t5", "bert"),
    ]  # fmt: skip


def test_a_row_without_an_llm_stands_once_beside_several_llms(project):
    project.add('[llms.greedy]\nscratch = {}\n[encoders.cls]\nmodel = "x"\n')
    root = project.load().encoders["bert"].model
    several = ('llms=["t5", "greedy"]', 'encoders=["bert", "cls"]', f"encoders.cls.model={root}",
               "encoders.cls.pooling=cls")  # fmt: skip
    cells = project.plan(*several).cells
    count = {row: sum(cell.variant == row for cell in cells) for row in ROWS}
    assert count == {"zero-shot": 2, "bm25": 2, "dense": 4, "majority-label": 1, "pplug": 4}
    llms = [cell.llm for cell in cells if cell.llm]
    assert llms == sorted(llms, reverse=True)  # t5's cells stand together: it is opened once


def test_seeds_are_cells_of_their_own(project):
    rows = 'methods=["pplug", "random", "bm25@shuffled-user"]'
    cells = project.plan("seeds=[3, 5]", rows).cells
    assert sorted(cell.seed for cell in cells) == [3, 3, 3, 5, 5, 5]
    assert len({cell.key for cell in cells}) == 6


def test_the_cells_of_an_llm_are_neighbors_so_that_it_is_loaded_once(project, monkeypatch):
    from methods.models import opening

    loaded = []
    own = opening.open_llm
    monkeypatch.setattr(
        opening, "open_llm", lambda config, **more: loaded.append(config) or own(config, **more)
    )
    text = project.config.read_text(encoding="utf-8")
    t5 = text[text.index("[llms.t5]") : text.index("[encoders.bert]")]
    project.add(t5.replace("[llms.t5]", "[llms.other]").replace("num_beams = 2", "num_beams = 1"))
    terms = ("llms=['t5', 'other']", "seeds=[0, 1]", "methods=['majority-label', 'random']")
    cells = project.plan(*terms).cells
    assert [(cell.llm, cell.seed) for cell in cells] == [
        (None, 0), ("t5", 0), ("t5", 1), ("other", 0), ("other", 1),
    ]  # fmt: skip
    assert [str(outcome.state) for outcome in project.run(*terms)] == ["done"] * 5
    assert [config.decoding.num_beams for config in loaded] == [2, 1]


def test_what_no_seed_changes_is_one_cell(project):
    rows = 'methods=["zero-shot", "bm25", "majority-label"]'
    plain = project.plan("seeds=[3, 5]", rows).cells
    assert [cell.seed for cell in plain] == [0, 0, 0]
    assert [c.folder for c in plain] == [c.folder for c in project.plan(rows).cells]  # reused
    adapted = project.plan("seeds=[3, 5]", rows, "llms.t5.adapt=full").cells  # by the seed
    found = sorted((cell.variant, cell.seed) for cell in adapted)
    assert found == [
        ("bm25", 3), ("bm25", 5), ("majority-label", 0), ("zero-shot", 3), ("zero-shot", 5),
    ]  # fmt: skip


def test_inapplicable_rows_are_named_and_left_out(project):
    grid = project.plan('methods=["copy-input", "mean-score"]')
    assert [cell.variant for cell in grid.cells] == ["mean-score"]
    assert grid.inapplicable == (("copy-input", "LaMP-3"),)


def test_controls_adds_a_row_to_every_personal_method_with_an_llm(project):
    instruction = "methods.pplug.user=false"
    rows = [cell.variant for cell in project.plan("controls=true").cells]
    added = [row for row in rows if row not in ROWS]
    assert added == ["bm25@shuffled-user", "dense@shuffled-user", "pplug@shuffled-user"]
    assert "pplug@shuffled-user" not in project.cells("controls=true", instruction)


def test_a_control_named_by_hand_is_not_doubled(project):
    rows = 'methods=["bm25", "bm25@shuffled-user", "bm25@own-random"]'
    cells = [cell.variant for cell in project.plan(rows, "controls=true").cells]
    assert cells == ["bm25", "bm25@shuffled-user", "bm25@own-random"]


def test_a_control_shares_the_fit_unless_it_is_trained_so(project):
    rows = 'methods=["pplug", "pplug@shuffled-user", "pplug@own-random", "pplug@shuffled-user+training"]'
    fit = {row: cell.fit_key for row, cell in project.cells(rows).items()}
    assert fit["pplug"] == fit["pplug@shuffled-user"] == fit["pplug@own-random"]
    assert fit["pplug"] != fit["pplug@shuffled-user+training"]
    owns = {row: cell.owns_fit for row, cell in project.cells(rows).items()}
    assert owns == {
        "pplug": True,
        "pplug@shuffled-user": False,
        "pplug@own-random": False,
        "pplug@shuffled-user+training": True,
    }
    assert len({cell.key for cell in project.cells(rows).values()}) == 4


@pytest.mark.parametrize("override", ["seeds=[1]", "train_limit=6", "llms.t5.adapt=full"])
def test_the_fit_depends_on_what_it_learns_from(project, override):
    rows = 'methods=["pplug"]'
    assert project.cells(rows)["pplug"].fit_key != project.cells(rows, override)["pplug"].fit_key


def test_the_dev_set_that_training_watches_counts_where_another_is_scored(project):
    folder = project.root / "data" / "time" / "LaMP_3"
    write_set(folder / "test", [review("q1", user_id="ann")], set="test")
    rows = 'methods=["pplug"]'
    before = project.cells(rows, "evaluate=test")["pplug"]
    fewer = project.cells(rows, "evaluate=test", "evaluate_limit=2")["pplug"]
    shutil.rmtree(folder / "dev")
    write_set(folder / "dev", [review("q2", user_id="ann")], {"q2": "1"})
    other = project.cells(rows, "evaluate=test")["pplug"]
    assert len({cell.key for cell in (before, fewer, other)}) == 3
    assert len({cell.fit_key for cell in (before, fewer, other)}) == 3


def test_the_fit_does_not_depend_on_how_many_queries_are_answered(project):
    rows = ('methods=["pplug"]',)
    few = project.cells(*rows, "evaluate_limit=2")["pplug"]
    assert few.fit_key == project.cells(*rows)["pplug"].fit_key
    assert few.key != project.cells(*rows)["pplug"].key


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ('methods=["bm52"]', "unknown method 'bm52'. Did you mean 'bm25'"),
        ("methods.bm52.k=3", "unknown method 'bm52'. Did you mean 'bm25'"),
        ("methods.bm25.kk=3", "`kk`: unknown option. Did you mean 'k'"),
        ("methods.bm25.k=0", "`k`: Input should be greater than 0"),
        ("methods.pplug.training.epoch=3", "`training.epoch`: unknown option"),
        ('methods=["bm25@shuffled-usr"]', "unknown control 'shuffled-usr'. .* 'shuffled-user'"),
        ('tasks=["LaMP-33"]', "unknown task 'LaMP-33'. Did you mean 'LaMP-3'"),
        ('llms=["t6"]', "unknown LLM 't6'. Did you mean 't5'"),
        ('encoders=["bort"]', "unknown encoder 'bort'. Did you mean 'bert'"),
        ("data=tyny", "unknown data source 'tyny'. Did you mean 'tiny'"),
        ("llms=[]", "names no llms, but 'zero-shot' needs one"),
        ("encoders=[]", "names no encoders, but 'dense' needs one"),
    ],
)
def test_a_name_or_option_that_is_unknown_is_told(project, override, message):
    with pytest.raises(ConfigError, match=message):
        project.plan(override)


def test_a_narrowed_grid_names_what_is_unknown(project):
    assert [cell.variant for cell in project.plan(methods=["bm25"]).cells] == ["bm25"]
    for name in ("bm26", "bm26@shuffled-user"):
        with pytest.raises(ConfigError, match=r"unknown method 'bm26'. Did you mean 'bm25'"):
            project.plan(methods=[name])
    with pytest.raises(ConfigError, match=r"task 'LaMP-2' is not in the suite. .* 'LaMP-3'"):
        project.plan(tasks=["LaMP-2"])
    with pytest.raises(ConfigError, match=r"unknown suite 'ss'. Did you mean 's'"):
        project.plan(suite="ss")


def test_missing_data_are_told_before_anything_is_computed(project):
    with pytest.raises(DataError, match="no train set of LaMP-3"):
        project.plan("data.tiny.root=nowhere")


def test_a_plug_in_that_cannot_be_imported_is_told(project):
    with pytest.raises(ConfigError, match="can't be loaded from no_such_module:Method"):
        project.plan("methods.bm25.method=no_such_module:Method")
    with pytest.raises(ConfigError, match="is not a Method"):
        project.plan("methods.bm25.method=tests.bench.support:Project")


def test_a_text_side_and_how_training_is_done_in_the_key(project, monkeypatch):
    """What the text side is decides predictions; how often to checkpoint doesn't."""
    training = 'method = "pplug"\ntext = "bm25"\n'
    project.add(f"[methods.plugged]\n{training}")
    project.suite("plugged", name="t")

    def key_of(*overrides):
        return project.cells(*overrides, suite="t")["plugged"].key

    key = key_of()

    def rekeyed(*overrides):
        return key_of(*overrides) != key

    for how in ("checkpoint_minutes=1", "gradient_checkpointing=true", "evaluations=3"):
        assert not rekeyed(f"methods.plugged.training.{how}")
    stop = "methods.plugged.training.early_stop_patience=2"
    assert key_of(stop, "methods.plugged.training.evaluations=3") != key_of(stop)
    assert rekeyed("methods.plugged.text_options.k=2")
    assert rekeyed("methods.plugged.training.learning_rate=1")
    monkeypatch.setattr(METHODS.get("bm25"), "version", 99)
    assert rekeyed()


def test_a_control_that_the_suite_adds_can_be_asked_for(project):
    project.suite("bm25", "zero-shot", name="t", more="controls = true")
    asked = project.plan(suite="t", methods=["bm25@shuffled-user"])
    assert [cell.variant for cell in asked.cells] == ["bm25@shuffled-user"]


def test_a_suite_sets_options_of_single_methods_over_its_training(project):
    more = "training = { epochs = 3 }\noptions.pplug = { n_tokens = 2, training = { epochs = 5 } }"
    project.suite("pplug", "pplug@shuffled-user", "pplug-twice", name="two", more=more)
    project.add('[methods.pplug-twice]\nmethod = "pplug"\n')
    cells = project.cells(suite="two")
    found = {
        row: (cell.config.n_tokens, cell.config.training.epochs) for row, cell in cells.items()
    }
    assert found == {"pplug": (2, 5), "pplug@shuffled-user": (2, 5), "pplug-twice": (1, 3)}


def test_a_suites_options_may_be_a_tasks_own(project):
    more = 'options.bm25 = { k = 2, per_task."LaMP-3" = { k = 3 } }'
    project.suite("bm25", "bm25@shuffled-user", name="two", more=more)
    assert {cell.config.k for cell in project.cells(suite="two").values()} == {3}
    project.suite("bm25", name="other", more=more.replace("LaMP-3", "LaMP-2"))
    assert {cell.config.k for cell in project.cells(suite="other").values()} == {2}
    project.suite("bm25", name="typo", more=more.replace("LaMP-3", "LaMP-33"))
    with pytest.raises(ConfigError, match=r"options\.bm25 of the suite: .*'LaMP-33'.*'LaMP-3'"):
        project.plan(suite="typo")


@pytest.mark.parametrize("key", ["reference", "instruction_only"])
def test_a_row_that_differences_are_taken_to_must_be_a_row(project, key):
    project.suite("bm25", "zero-shot", name="two", more=f'{key} = "zeroshot"')
    with pytest.raises(ConfigError, match=f"{key} = 'zeroshot' of suite 'two'.*'zero-shot'"):
        project.plan(suite="two")
    project.suite("bm25", name="none")  # the default names no mistake
    assert len(project.plan(suite="none").cells) == 1


def test_a_suite_has_no_options_for_a_method_that_does_not_exist(project):
    project.suite("bm25", name="two", more="options.bm52 = { k = 2 }")
    with pytest.raises(ConfigError, match="bm25"):
        project.plan(suite="two")
