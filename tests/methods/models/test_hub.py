"""Hub names: commits looked up once, with a hub that is replaced and a hub cache in a folder."""

import warnings
from types import SimpleNamespace

import pytest

from methods.models.config import LLMConfig
from methods.models.hub import find_commit
from methods.models.identity import identity_of
from methods.models.loading import pin, resolve, source_identity
from methods.models.opening import load_llm
from tasks.common.errors import ModelError
from tasks.common.sealed import read_sealed
from tests.methods.models.builders import ToyTask, folder

COMMIT, OTHER = "0" * 39 + "a", "0" * 39 + "b"


@pytest.fixture
def hub_cache(tmp_path, monkeypatch):
    """An empty hub cache, and no way to the hub."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.fixture
def hub(hub_cache, monkeypatch):
    """A hub that answers with `hub.commit` and keeps what it was asked."""
    state = SimpleNamespace(commit=COMMIT, asked=[])

    def model_info(self, name, *, revision, **_):
        state.asked.append((name, revision))
        return SimpleNamespace(sha=state.commit)

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", model_info)
    return state


def keep(hub_cache, commit=COMMIT, **refs):
    """Put a tiny T5 into the hub cache, as `snapshot_download` lays it out."""
    place = hub_cache / "models--google--t5"
    folder(place / "snapshots" / commit, "t5")
    (place / "refs").mkdir()
    for name, target in refs.items():
        (place / "refs" / name).write_text(target)
    return place / "snapshots" / commit


def test_a_commit_asks_no_hub(hub, tmp_path):
    assert find_commit("google/t5", COMMIT, tmp_path) == COMMIT
    assert source_identity("google/t5", COMMIT, tmp_path) == f"google/t5@{COMMIT}"
    assert not hub.asked


@pytest.mark.parametrize("revision", [None, "main", "v1.0", "0000"])
def test_a_branch_or_tag_is_looked_up_once(hub, tmp_path, revision):
    with pytest.warns(UserWarning, match=f'set revision = "{COMMIT}"'):
        assert find_commit("google/t5", revision, tmp_path) == COMMIT
    hub.commit = OTHER  # the branch moves on; what this cache was used for stays
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert find_commit("google/t5", revision, tmp_path) == COMMIT
    assert hub.asked == [("google/t5", revision)]
    (stored,) = (tmp_path / "hub").glob("*.json")
    assert read_sealed(stored, "") == {
        "model": "google/t5", "revision": revision, "commit": COMMIT,
    }  # fmt: skip
    stored.write_text(stored.read_text().replace(COMMIT, OTHER))
    with pytest.warns(UserWarning, match=OTHER):
        assert find_commit("google/t5", revision, tmp_path) == OTHER


def test_the_key_depends_on_the_commit_alone(hub, tmp_path):
    def key(cache, **source):
        config = LLMConfig(model="google/t5", **source)
        return identity_of(
            config, task=ToyTask(), train_fingerprint="", seed=0, cache=tmp_path / cache
        )

    pinned = key("a", revision=COMMIT)
    with pytest.warns(UserWarning, match=COMMIT):
        assert key("a") == pinned
    with pytest.warns(UserWarning, match=COMMIT):
        assert key("a", revision="v1.0") == pinned
    hub.commit = OTHER
    with pytest.warns(UserWarning, match=OTHER):
        assert key("b") != pinned
    assert key("b") == key("b", revision=OTHER)


def test_without_a_network_the_hub_cache_answers(hub_cache, tmp_path):
    place = keep(hub_cache, main=COMMIT, old=OTHER)
    with pytest.warns(UserWarning, match=COMMIT):
        assert resolve("google/t5", None, tmp_path / "cache") == place
    assert resolve("google/t5", COMMIT) == place
    assert pin(LLMConfig(model="google/t5"), tmp_path / "cache").revision == COMMIT
    with pytest.raises(ModelError, match=r"doesn't know 'v1\.0'.*once, or set `revision`"):
        find_commit("google/t5", "v1.0", tmp_path)
    with pytest.raises(ModelError, match="doesn't know 'old'"):  # its files were deleted
        find_commit("google/t5", "old", tmp_path)
    with pytest.raises(ModelError, match="doesn't know its default branch"):
        find_commit("google/other", None, tmp_path)


def test_the_record_names_the_commit(hub_cache, tmp_path):
    keep(hub_cache, main=COMMIT)
    with pytest.warns(UserWarning, match="no revision is set"):
        llm = load_llm("google/t5", device="cpu", cache=tmp_path / "cache")
    assert llm.description["revision"] == COMMIT
    assert llm.description["name"] == "google/t5"


def test_a_failing_hub_falls_back_to_its_cache(hub_cache, monkeypatch, tmp_path):
    keep(hub_cache, main=COMMIT)

    def fail(self, *_, **__):
        raise ConnectionError("reset by peer")

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", fail)
    with pytest.warns(UserWarning, match=COMMIT):
        assert find_commit("google/t5", None, tmp_path) == COMMIT


def test_an_unreachable_commit_is_reported(hub_cache):
    with pytest.raises(ModelError, match="not in the local hub cache, and the hub can't be rea"):
        resolve("google/flan-t5-xl", COMMIT)


def test_files_are_fetched_as_safetensors_or_bin(tmp_path, monkeypatch):
    asked, t5 = [], folder(tmp_path / "t5", "t5")

    def snapshot(name, *, revision, allow_patterns, **_):
        asked.append((name, revision, allow_patterns))
        return str(t5)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    assert resolve("google/t5", COMMIT) == t5
    assert len(asked) == 1
    assert "*.bin" not in asked[0][2]
    (t5 / "model.safetensors").unlink()
    resolve("google/t5", COMMIT)
    assert "*.bin" in asked[-1][2]
    (t5 / "q4").mkdir()
    (t5 / "q4" / "some.gguf").write_bytes(b"GGUF")
    assert resolve("google/t5/q4/some.gguf", COMMIT) == t5 / "q4" / "some.gguf"
    assert asked[-1] == ("google/t5", COMMIT, ["q4/some.gguf"])
    with pytest.raises(ModelError, match=r"has no file 'other\.gguf'"):
        resolve("google/t5/other.gguf", COMMIT)


def test_an_unknown_model_is_reported(hub_cache, monkeypatch, tmp_path):
    from huggingface_hub.errors import RepositoryNotFoundError

    def fail(self, *_, **__):
        raise RepositoryNotFoundError.__new__(RepositoryNotFoundError)

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", fail)
    with pytest.raises(ModelError, match="is neither a folder here nor a model on the hub"):
        resolve("nowhere/at-all", None, tmp_path)
