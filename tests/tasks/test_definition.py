"""A task whose class attributes are wrong is refused when it is loaded."""

import pytest

from tasks import TASKS, Task
from tasks.common.errors import ConfigError
from tasks.definition import check_definition
from tests.bench.own_task import Garden


def garden(**changes):
    """Garden with some attributes changed."""
    return type("Changed", (Garden,), changes)


def without(attribute):
    """Garden as a class of its own that lacks one attribute."""
    body = {name: value for name, value in vars(Garden).items() if name != attribute}
    body.pop("__dict__", None)
    body.pop("__weakref__", None)
    return type("Changed", Garden.__bases__, body)


def refused(task):
    with pytest.raises(ConfigError) as error:
        check_definition(task)
    assert f"class {task.__module__}.{task.__qualname__}: " in str(error.value)
    return str(error.value)


def test_a_sound_task_is_accepted():
    check_definition(Garden)
    assert [TASKS.get(name).name for name in TASKS.names()] == TASKS.names()


@pytest.mark.parametrize(
    "attribute", ["name", "folder", "kind", "metrics", "lead", "marker", "instruction",
                  "item_template"]
)  # fmt: skip
def test_a_missing_attribute_is_named_with_its_meaning(attribute):
    assert f"has no `{attribute}`. Add `{attribute} = …` to the class: " in refused(
        without(attribute)
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "classification"}, "`kind` is 'classification'. Write Kind.CLASSIFICATION"),
        ({"metrics": ("accuracy")}, "`metrics` is the string 'accuracy'. Write a tuple: metrics"),
        ({"metrics": ()}, "`metrics` is empty"),
        ({"metrics": ("acc",)}, "`metrics` names 'acc', which is no metric for a classification"),
        ({"metrics": ("rouge1",)}, "Known: accuracy, f1"),
        ({"labels": ("sun")}, "`labels` is the string 'sun'. Write a tuple: labels = (\"sun\",)"),
        ({"labels": (1, 2)}, "`labels` is (1, 2). Write a tuple of strings"),
        ({"labels": ()}, "has no `labels`, but its kind is classification"),
        ({"response_field": None}, "`history_has_labels = True` without a `response_field`"),
        ({"item_template": "{txt} {response}"}, "`item_template` names {txt}. Use {content} and"),
        ({"item_template": "{content"}, "`item_template` is not a template"),
        ({"corpus_template": "{text"}, "`corpus_template` is not a template"),
    ],
)
def test_a_wrong_attribute_is_named_with_its_fix(changes, message):
    assert message in refused(garden(**changes))


def test_abstract_methods_are_named():
    body = {"name": "a", "folder": "a", "kind": Garden.kind, "metrics": ("f1",), "labels": ("a",)}
    assert "does not define behavior, demonstration" in refused(type("Bare", (Task,), body))


def test_the_registry_checks_a_task_when_it_loads_it():
    with pytest.raises(ConfigError, match=r"class .*BareString: `metrics` is the string"):
        TASKS.get(f"{__name__}:BareString")


class BareString(Garden):
    metrics = "accuracy"
