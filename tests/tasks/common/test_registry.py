"""What the registry finds in a package, and every way in which that can fail."""

import importlib

import pytest

from tasks import Task
from tasks.common.errors import ConfigError
from tasks.common.registry import MAX_LISTED, Registry, did_you_mean

CLASS = "class {name}:\n    name = {label!r}\n"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A folder that can be imported as `plugs`, and a registry of it."""
    folder = tmp_path / "plugs"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "one.py").write_text(CLASS.format(name="One", label="one"))
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    return folder, Registry("method", Task, "plugs", "no.such.group")


def test_classes_are_found_by_their_literal_name(package):
    folder, registry = package
    (folder / "other.py").write_text("import nowhere\n\n\nclass Base: ...\n")
    assert dict(registry.targets) == {"one": "plugs.one:One"}


def test_two_classes_of_one_name(package):
    folder, registry = package
    (folder / "two.py").write_text(CLASS.format(name="Two", label="one"))
    with pytest.raises(ConfigError, match=r"two methods are called 'one': plugs\.one:One"):
        registry.names()


@pytest.mark.parametrize("code", [b"class Half(", b"name = '\xff'\n", b"\0"])
def test_a_file_that_is_not_python_is_named(package, code):
    folder, registry = package
    (folder / "half.py").write_bytes(code)
    with pytest.raises(ConfigError, match="parsed as Python") as error:
        registry.names()
    assert error.value.file == str(folder / "half.py")


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("ome", "unknown method 'ome'. Did you mean 'one'"),
        ("plugs.nowhere:One", "can't be loaded"),
        ("plugs.one:Nothing", "can't be loaded"),
        ("one", "is not a Task"),
    ],
)
def test_names_that_cannot_be_loaded(package, name, what):
    with pytest.raises(ConfigError) as error:
        package[1].get(name)
    assert what in str(error.value)


def test_the_hint_for_an_unknown_name():
    assert did_you_mean("bm52", ["bm25", "dense"]) == "Did you mean 'bm25'?"
    assert did_you_mean("x", ["b", "a"]) == "Known: a, b"
    assert did_you_mean("x", []) == "Known: none"
    many = did_you_mean("x", [f"id-{number:04}" for number in range(3000)])
    assert many.endswith(f"id-{MAX_LISTED - 1:04}, … (3000 in total)")
