"""Model names resolved to folders and files, and the identity of their content."""

import os

import pytest

from methods.models.config import LLMConfig
from methods.models.content import folder_identity
from methods.models.loading import pin, resolve, source_identity
from tasks.common.errors import ModelError
from tests.methods.models.builders import folder

COMMIT = "0" * 39 + "a"


@pytest.fixture
def t5(tmp_path):
    return folder(tmp_path / "t5", "t5")


def test_folders_and_packages_are_resolved(t5, monkeypatch, tmp_path):
    assert resolve(str(t5), None) == t5
    monkeypatch.chdir(tmp_path)
    assert resolve("t5", None) == t5
    package = tmp_path / "some_weights"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    assert resolve("package:some_weights/model", None) == package / "model"


@pytest.mark.parametrize(
    ("model", "revision", "message"),
    [
        ("/nowhere/at/all", None, "no such folder or file"),
        ("./nowhere/at-all", None, "no such folder or file"),
        ("../nowhere", None, "no such folder or file"),
        ("~no-such-user/model", None, "is not a usable path"),
        ("x" * 3000 + "/y/z", None, "is not a usable path"),
        ("/nowhere/at/all", COMMIT, "is not a hub name"),
        ("package:no_such_package/model", None, r"is not installed.*pplug-bench\[real\]"),
        ("package:json/model", COMMIT, "is not a hub name"),
        ("package:json/model", None, "has no folder 'model'"),
        ("package:json/decoder.py", None, "has no folder 'decoder.py'"),
    ],
)
def test_unresolvable_names_are_reported(model, revision, message):
    with pytest.raises(ModelError, match=message) as error:
        resolve(model, revision)
    assert error.value.file == model


def test_a_file_or_fifo_in_place_of_a_folder_is_reported(tmp_path):
    (tmp_path / "file").write_text("{}")
    os.mkfifo(tmp_path / "fifo")
    os.mkfifo(tmp_path / "fifo.gguf")
    for name in ("file", "fifo", "fifo.gguf"):
        with pytest.raises(ModelError, match=r"is not a folder, and not a \.gguf file"):
            resolve(str(tmp_path / name), None)


def test_home_is_expanded(t5, monkeypatch):
    monkeypatch.setenv("HOME", str(t5.parent))
    assert resolve("~/t5", None) == t5


def test_a_folder_stands_for_its_only_gguf_file(t5, tmp_path):
    place = tmp_path / "some"
    place.mkdir()
    one = place / "one.gguf"
    one.write_bytes(b"GGUF")
    assert resolve(str(place), None) == one
    assert resolve(str(one), None) == one
    (t5 / "two.gguf").write_bytes(b"GGUF")
    assert resolve(str(t5), None) == t5  # its safetensors come first
    (place / "two.gguf").write_bytes(b"GGUF")
    with pytest.raises(ModelError, match=r"holds 2 GGUF files: one.gguf, two.gguf"):
        resolve(str(place), None)


def test_only_hub_names_are_pinned(t5, tmp_path):
    config = LLMConfig(model=str(t5))
    assert pin(config, tmp_path) is config
    scratch = LLMConfig.model_validate({"scratch": {}})
    assert pin(scratch, tmp_path) is scratch


def test_the_identity_depends_on_content_not_location(t5, tmp_path):
    other = folder(tmp_path / "copy", "t5")
    cache = tmp_path / "cache"
    first = folder_identity(t5, cache)
    assert folder_identity(other, cache) == first
    (other / "README.md").write_text("words")
    assert folder_identity(other, cache) == first
    weights = other / "model.safetensors"
    raw = bytearray(weights.read_bytes())
    raw[-1] ^= 1
    weights.write_bytes(bytes(raw))
    assert folder_identity(other, cache) != first


def test_digests_of_large_files_are_stored(tmp_path, monkeypatch):
    big = tmp_path / "model"
    big.mkdir()
    (big / "model.safetensors").write_bytes(b"x" * (2 << 20))
    cache = tmp_path / "cache"
    first = folder_identity(big, cache)
    monkeypatch.setattr("tasks.common.digests.sha256_of", lambda _: pytest.fail("read again"))
    assert folder_identity(big, cache) == first


DAMAGES = {
    "empty": lambda _: "",
    "short": lambda digest: digest[:63],
    "no text": lambda _: "\0" * 64,
    "another": lambda digest: f"{'0' if digest[0] != '0' else '1'}{digest[1:]}",
    "of earlier versions": lambda digest: digest[:64],
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_stored_digest_is_computed_again(tmp_path, damage):
    big = tmp_path / "model"
    big.mkdir()
    (big / "model.safetensors").write_bytes(b"x" * (2 << 20))
    first = folder_identity(big, tmp_path / "cache")
    (stored,) = (tmp_path / "cache" / "digests").iterdir()
    whole = stored.read_text()
    stored.write_text(damage(whole))
    assert folder_identity(big, tmp_path / "cache") == first
    assert stored.read_text() == whole


def test_the_identity_of_a_gguf_file_is_its_content(tmp_path):
    file, copy = tmp_path / "a.gguf", tmp_path / "b.gguf"
    file.write_bytes(b"GGUF")
    copy.write_bytes(b"GGUF")
    first = source_identity(str(file), None, tmp_path)
    # printf GGUF | sha256sum
    assert first == "gguf-1:b83633aa785344791618f2fddf131b010ea04912a60430760b070bad293f65bd"
    assert source_identity(str(copy), None, tmp_path) == first
    copy.write_bytes(b"GGUG")
    assert source_identity(str(copy), None, tmp_path) != first
