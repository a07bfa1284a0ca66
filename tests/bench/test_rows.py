"""Names → methods and options: outside the suite, and inside a pool."""

import pytest

from tasks.common.errors import ConfigError


@pytest.fixture
def project(project):
    project.suite("zero-shot")
    return project


def test_a_method_outside_the_suite_runs_on_its_terms(project):
    """A new method, a variant, a control: after the suite's own rows, with the suite's options."""
    project.suite(
        "bm25", name="t", more="training = { epochs = 7 }\noptions.pplug = { n_tokens = 2 }"
    )
    wanted = ["pplug", "dense@own-random", "bm25", "tests.bench.probes:Says"]
    cells = {cell.variant: cell for cell in project.plan(suite="t", methods=wanted).cells}
    assert list(cells) == ["bm25", "pplug", "dense@own-random", "tests.bench.probes:Says"]
    assert cells["pplug"].config.training.epochs == 7
    assert cells["pplug"].config.n_tokens == 2
    assert cells["pplug"].folder.parts[-4:-1] == ("t", "LaMP-3", "pplug")
    with pytest.raises(ConfigError, match="unknown control 'nobody'"):
        project.plan(suite="t", methods=["pplug@nobody"])


@pytest.mark.parametrize("target", ["../../x:Y", ":Y", "..:Y"])
def test_a_method_outside_the_suite_cannot_leave_the_results_folder(project, target):
    with pytest.raises(ConfigError, match="can't be loaded from"):
        project.plan(methods=[target])


def test_a_pool_lists_methods_and_variants_with_the_suites_options(project):
    project.add("""
[pools]
mine = ["zero-shot", "bm25-2", "ropg-kd"]
[trainings.short]
epochs = 1
batch_size = 4
[methods.bm25-2]
method = "bm25"
k = 2
[methods.rspg-pre]
pool = "mine"
[methods.chosen]
method = "pool-oracle"
pool = ["bm25-2", "recency"]
""")
    more = """training = { epochs = 3, learning_rate = 1e-2 }
options.ropg-kd.training = "short"
options.bm25-2.per_task."LaMP-3" = { k = 3 }
"""
    project.suite("rspg-pre", "chosen", name="t", more=more)
    cells = project.cells(suite="t")
    members = cells["rspg-pre"].config.members()
    assert [method.name for method, _ in members.values()] == ["zero-shot", "bm25", "ropg-kd"]
    assert list(members) == ["zero-shot", "bm25-2", "ropg-kd"]
    assert members["bm25-2"][1].k == 3
    training = members["ropg-kd"][1].training
    assert (training.epochs, training.batch_size, training.learning_rate) == (1, 4, 1e-2)
    assert cells["rspg-pre"].config.training.epochs == 3
    assert list(cells["chosen"].config.members()) == ["bm25-2", "recency"]


@pytest.mark.parametrize(
    ("pool", "message"),
    [
        ('"papr"', "unknown pool 'papr'. Did you mean 'paper'"),
        ('["zero-shot", "bm52"]', "unknown method 'bm52'. Did you mean 'bm25'"),
        ('["zero-shot", "mine"]', "the pool of 'mine' names 'mine'"),
        ('["zero-shot", "bm25@own-random"]', "names 'bm25@own-random'. Name .* without controls"),
        ('["zero-shot", 3]', "the pool of 'mine' names 3"),
        ('["zero-shot", "bm25", "bm25"]', "names a member twice"),
        ('["zero-shot"]', "a pool of 1 leaves nothing to choose"),
        ('["zero-shot", "oracle-pool"]', "reads the golds"),
    ],
)
def test_a_pool_that_cannot_be_is_refused(project, pool, message):
    project.add(f'[methods.mine]\nmethod = "rspg-pre"\npool = {pool}\n')
    project.add('[methods.oracle-pool]\nmethod = "pool-oracle"\n')
    project.suite("mine", name="t")
    with pytest.raises(ConfigError, match=message):
        project.plan(suite="t")
