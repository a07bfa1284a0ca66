"""Model names resolved to folders, and the identity of their files."""

import pytest

from methods.models.loading import folder_identity, resolve, source_identity
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
        ("nowhere/at-all", None, "a hub name needs a pinned revision"),
        ("/nowhere/at/all", None, "is not a folder"),
        ("google/flan-t5-xl", "main", "'main' is not pinned"),
        ("/nowhere/at/all", COMMIT, "is not a hub name"),
        ("package:no_such_package/model", None, "is not installed"),
        ("package:json/model", COMMIT, "is not a hub name"),
        ("package:json/model", None, "has no folder 'model'"),
    ],
)
def test_unresolvable_names_are_reported(model, revision, message):
    with pytest.raises(ModelError, match=message) as error:
        resolve(model, revision)
    assert error.value.file == model


def test_an_unreachable_hub_is_reported(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match="not in the local hub cache, and the hub can't be rea"):
        resolve("google/flan-t5-xl", COMMIT)


def test_a_hub_name_is_fetched_and_identified_by_its_commit(t5, monkeypatch):
    asked = []

    def snapshot(name, *, revision, allow_patterns, **_):
        asked.append((name, revision, allow_patterns))
        return str(t5)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    assert resolve("google/t5", COMMIT) == t5
    assert len(asked) == 1
    (t5 / "model.safetensors").unlink()
    resolve("google/t5", COMMIT)
    assert "*.bin" in asked[-1][2]
    assert "*.bin" not in asked[0][2]
    assert source_identity("google/t5", COMMIT, t5) == f"google/t5@{COMMIT}"


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
    monkeypatch.setattr("methods.models.loading.sha256_of", lambda _: pytest.fail("read again"))
    assert folder_identity(big, cache) == first
