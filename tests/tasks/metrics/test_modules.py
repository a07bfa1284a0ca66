"""Modules of Hugging Face's `evaluate` as metrics of a task, with values worked out by hand."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tasks import Prediction
from tasks.common.errors import BenchError, ConfigError
from tasks.lamp import LaMP1, LaMP3, LaMP5
from tasks.metrics import choose, create, find_rules
from tasks.metrics.utility import utilities
from tasks.scoring import EvaluateModule, Scoring

evaluate = pytest.importorskip("evaluate")

SOURCE = """
import datasets
import evaluate


class Found(evaluate.Metric):
    def _info(self):
        kind = datasets.Value("{dtype}")
        return evaluate.MetricInfo(
            description="", citation="", features=datasets.Features({features})
        )

    def _compute(self, predictions, references=None, **options):
        {code}
"""
BOTH = '{"predictions": kind, "references": kind}'
EXACT = 'return {"exact": sum(p == r for p, r in zip(predictions, references)) / len(references)}'


@pytest.fixture(autouse=True, scope="module")
def _folders(tmp_path_factory):
    """Keeps evaluate's copies out of the home folder; one folder, for a process imports from one."""
    folder = tmp_path_factory.mktemp("evaluate")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("evaluate.config.HF_METRICS_CACHE", folder / "metrics")
        patch.setattr("evaluate.config.HF_MODULES_CACHE", folder / "modules")
        patch.setattr("evaluate.config.HF_EVALUATE_OFFLINE", True)
        yield


@pytest.fixture
def write(tmp_path):
    """Write a module of `evaluate`; returns how it is declared."""

    def write(code=EXACT, name="found", dtype="string", features=BOTH, **options):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        text = SOURCE.replace("{dtype}", dtype).replace("{features}", features)
        (folder / f"{name}.py").write_text(text.replace("{code}", code), encoding="utf-8")
        return EvaluateModule(name, str(folder), **{"higher_is_better": True, **options})

    return write


def score(module, answers, golds, task=LaMP5):
    """The score of answers in the order of the golds."""
    predictions = [Prediction(str(n), text) for n, text in enumerate(answers)]
    metric = create(module.metric, task(), Scoring(evaluate=(module,)))
    return metric.score(predictions, {str(n): gold for n, gold in enumerate(golds)})


def test_one_number_for_all_examples_has_no_rows(write):
    found = score(write(), ["a", " b ", None, "x"], ["a", "b", "", "d"])
    # A failed answer is an empty text, and here even right: that is what `check` is for.
    assert (found.metric, found.value, found.rows) == ("evaluate:found", 0.75, None)
    assert (found.n, found.n_failed, found.n_unparsed) == (4, 1, 0)


def test_a_list_holds_the_examples_own_values(write):
    code = 'return {"length": [len(p) - len(r) for p, r in zip(predictions, references)], "n": 2}'
    found = score(write(code, value="length"), ["abc", None], ["a", "xyz"])
    assert found.rows == ((2.0,), (-3.0,))
    assert found.value == -0.5
    assert score(write(code, value="length", worst=-9), ["abc", None], ["a", "xyz"]).value == -3.5
    with pytest.raises(ConfigError, match=r"states no `value`. Set `value` to one of length, n"):
        score(write(code), ["a"], ["a"])
    with pytest.raises(ConfigError, match="has no key 'f1' in its result"):
        score(write(code, value="f1"), ["a"], ["a"])


def test_one_by_one_and_options(write):
    code = EXACT.replace("/ len(references)", "* options['scale'] / len(references) ** 2")
    module = write(code, one_by_one=True, options={"scale": 100})
    found = score(module, ["a", "x", "c", "d"], ["a", "b", "c", "d"])
    assert found.rows == ((100,), (0,), (100,), (100,))
    assert found.value == 75
    assert score(replace(module, one_by_one=False), ["a", "x"], ["a", "b"]).value == 25


@pytest.mark.parametrize(
    ("task", "dtype", "answers", "golds", "read"),
    [
        (LaMP1, "int32", ["[2]", "two", None], ["[1]", "[2]", "[1]"], [1, -1, -1]),
        (LaMP1, "string", ["[2] ", "two", None], ["[1]", "[2]", "[1]"], ["[2]", "two", ""]),
        # "five" and a failed answer count as the farthest label, and so does a number that is none.
        (LaMP3, "float32", ["4", "five", "9" * 200, None], ["5", "4", "2", "2"], [4, 1, 5, 5]),
        (LaMP3, "int64", ["4", "4.5", None], ["5", "5", "1"], [4, 1, 5]),
    ],
)
def test_answers_are_read_as_the_type_that_the_module_declares(
    write, tmp_path, task, dtype, answers, golds, read
):
    out = tmp_path / "read.json"
    code = f"import json; open({str(out)!r}, 'w').write(json.dumps(predictions)); return {{'x': 1}}"
    found = score(write(code, dtype=dtype), answers, golds, task)
    assert json.loads(out.read_text(encoding="utf-8")) == read
    assert found.n_unparsed == sum(text in {"two", "five", "9" * 200, "4.5"} for text in answers)


def test_references_may_be_lists_and_alternatives_are_searched(write):
    lists = '{"predictions": kind, "references": datasets.Sequence(kind)}'
    code = 'return {"x": sum(p in r for p, r in zip(predictions, references)), "y": references}'
    assert score(write(code, features=lists, value="x"), ["a", "b"], ["a", "c"]).value == 1
    module = write(code.replace(" in ", " == ", 1), "either", features=BOTH, value="x")
    path = Path(module.module) / "either.py"
    alternatives = f"[datasets.Features({lists}), datasets.Features({BOTH})]"
    text = path.read_text(encoding="utf-8").replace(f"datasets.Features({BOTH})", alternatives)
    path.write_text(text, encoding="utf-8")
    assert score(module, ["a", "b"], ["a", "c"]).value == 1
    alone = write(
        'return {"x": float(len(predictions[0]))}', "alone", features='{"predictions": kind}'
    )
    assert score(alone, ["four"], ["a"]).value == 4


@pytest.mark.parametrize(
    ("code", "more", "says"),
    [
        ("return 1.0", {}, "the module returns 1.0"),
        ("return {'x': 'high'}", {}, "'x' of its result is not a number"),
        ("return {'x': [1.0, 2.0]}", {}, r"has the shape \(2,\) for 1 examples"),
        ("return {'x': float('nan')}", {}, r"is not finite \(nan\)"),
        ("raise ZeroDivisionError('no words')", {}, r"the module failed \(ZeroDivisionError: no words"),
        ("return {'x': 1.0}", {"worst": 0.0}, "gives no values per example"),
        ("return {'x': 1.0}", {"dtype": "int32"}, "reads whole numbers, but the answers of LaMP-5"),
        ("return {'x': 1.0}", {"features": '{"predictions": kind, "sources": kind}'}, "reads predictions, sources"),
        ("return {'x': 1.0}", {"features": '{"data": kind}'}, "the module reads data"),
        ("return {'x': 1.0}", {"dtype": "bool"}, "inputs of the type 'bool'"),
    ],
)  # fmt: skip
def test_faults_of_a_module_name_metric_and_fix(write, code, more, says):
    with pytest.raises(ConfigError, match=says) as caught:
        score(write(code, **more), ["a"], ["a"])
    assert caught.value.what.startswith("metric 'evaluate:found': ")


def test_a_module_that_is_not_there_or_does_not_load(write, tmp_path):
    with pytest.raises(ConfigError, match="there is no module of evaluate at this path"):
        score(EvaluateModule("x", "./nowhere", higher_is_better=True), ["a"], ["a"])
    with pytest.raises(ConfigError, match="without a network, give the path of a local copy"):
        score(EvaluateModule("x", "nobody/nothing", higher_is_better=True), ["a"], ["a"])
    broken = write("return {", name="broken")
    with pytest.raises(ConfigError, match=r"broken.py \(SyntaxError"):
        score(broken, ["a"], ["a"])
    missing = write("return {'x': 1}", name="missing")
    path = tmp_path / "missing" / "missing.py"
    path.write_text("import no_such_library\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"ImportError: .*no_such_library"):
        score(missing, ["a"], ["a"])
    with pytest.raises(ConfigError, match="is no module of evaluate"):
        score(EvaluateModule("x", 3, higher_is_better=True), ["a"], ["a"])


def test_an_undescribed_metric_says_what_to_write():
    class Own(LaMP5):
        metrics = ("rouge1", "evaluate:my/metric")

    with pytest.raises(
        ConfigError, match=r'\[scoring.evaluate."my/metric"\], with higher_is_better'
    ):
        create("evaluate:my/metric", Own())
    with pytest.raises(ConfigError, match="is not described"):
        find_rules(Own(), Scoring())

    class Foremost(LaMP5):
        metrics = ("evaluate:my/metric",)

    with pytest.raises(ConfigError, match="is not defined for one example"):
        utilities(Foremost(), ["a"], ["a"])


def test_a_trial_finds_metrics_under_which_failing_pays(write):
    def check(module):
        create(module.metric, LaMP5(), Scoring(evaluate=(module,))).check(["one two", "three"])

    check(write())
    errors = 'return {"e": [float(p != r) for p, r in zip(predictions, references)]}'
    check(write(errors, "errors", higher_is_better=False))
    with pytest.raises(
        ConfigError, match=r"gives 0 for right answers and 1 for failed ones\. State"
    ):
        check(write(errors, "errors"))  # higher_is_better is wrong
    length = write(
        'return {"n": [float(len(p)) for p in predictions]}', "length", higher_is_better=False
    )
    with pytest.raises(ConfigError, match=r"gives 6 for right answers and 0 for failed ones"):
        check(length)
    check(replace(length, worst=100))


def test_rules_record_which_module_scored(write):
    module = write(tasks=("LaMP-5",))
    rules = Scoring(evaluate=(module, replace(module, name="unused", tasks=())))
    assert choose(LaMP5(), rules) == (*LaMP5.metrics, "evaluate:found")
    assert choose(LaMP1, rules) == LaMP1.metrics
    declared = find_rules(
        LaMP5(), replace(rules, evaluate=(replace(module, module=module.module + "/found.py"),))
    )
    loaded = find_rules(LaMP5(), rules, load=True)
    (kept,) = loaded.evaluate
    assert (kept.name, kept.module, len(kept.sha256)) == ("found", "found", 64)
    assert kept.evaluate == evaluate.__version__
    assert find_rules(LaMP1(), rules, load=True).evaluate == ()
    write(EXACT + "  # changed")
    again = find_rules(LaMP5(), rules, load=True)
    assert again.evaluate[0].sha256 != kept.sha256
    assert again.declared() == loaded.declared()
    assert declared.evaluate[0].sha256 == ""


def test_an_instance_is_a_metric_of_a_task_in_python():
    from tasks.metrics.local import as_evaluate

    class Own(LaMP3):
        metrics = ("mae", "evaluate:ours")
        evaluate_modules = (
            EvaluateModule(
                "ours", as_evaluate("mae", "LaMP-3"), higher_is_better=False, one_by_one=True
            ),
        )

    answers = [Prediction("a", "4"), Prediction("b", None)]
    found = Own().score(answers, {"a": "5", "b": "2"})
    assert found["evaluate:ours"].rows == found["mae"].rows == ((1,), (3,))
    (kept,) = find_rules(Own(), Scoring(), load=True).evaluate
    assert kept.module == "tasks.metrics.local.LocalMetric"
    assert len(kept.sha256) == 64


def test_each_of_ours_is_an_evaluate_metric():
    from tasks.metrics.local import as_evaluate

    both = evaluate.combine([as_evaluate("rouge1", "LaMP-5"), as_evaluate("bleu", "LaMP-5")])
    found = both.compute(predictions=["a b c d"], references=["a b c d"])
    assert found == {"rouge1": 1.0, "bleu": pytest.approx(100)}
    with pytest.raises(BenchError, match="unknown metric 'mae' for LaMP-5"):
        as_evaluate("mae", "LaMP-5")
