"""GGUF files: a tiny Llama written by the `gguf` package, with its tokenizer."""

import json
import shutil

import pytest
import torch
from tokenizers import Tokenizer

from methods.models import gguf as conversion
from methods.models.opening import load_llm
from tasks.common.errors import ModelError
from tests.methods.models.builders import CHAT, model, tokenizer_file

NAMES = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}  # fmt: skip


def permute(weight, heads):
    """llama.cpp's order of a rotary projection's rows: pairs next to each other."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, -1)


def write_llama(path, *, skip=(), poison=None, architecture="llama"):
    """Write `builders.model("llama")` as llama.cpp's converter would, in float32."""
    gguf = pytest.importorskip("gguf", reason="needs the extra `gguf`")
    llama = model("llama")
    config, words = llama.config, Tokenizer.from_str(tokenizer_file())
    file = gguf.GGUFWriter(path, architecture)
    file.add_context_length(config.max_position_embeddings)
    file.add_embedding_length(config.hidden_size)
    file.add_block_count(config.num_hidden_layers)
    file.add_feed_forward_length(config.intermediate_size)
    file.add_head_count(config.num_attention_heads)
    file.add_head_count_kv(config.num_key_value_heads)
    file.add_layer_norm_rms_eps(config.rms_norm_eps)
    file.add_rope_freq_base(10000.0)
    file.add_vocab_size(config.vocab_size)
    vocabulary = sorted(words.get_vocab(), key=words.get_vocab().get)
    file.add_tokenizer_model("gpt2")
    file.add_tokenizer_pre("gpt-2")
    file.add_token_list(vocabulary)
    file.add_token_types([3 if token in {"<pad>", "</s>"} else 1 for token in vocabulary])
    file.add_token_merges([" ".join(pair) for pair in merges(words)])
    file.add_eos_token_id(1)
    file.add_pad_token_id(0)
    file.add_chat_template(CHAT)
    for name, weight in llama.state_dict().items():
        array = weight.numpy().copy()
        if "q_proj" in name or "k_proj" in name:
            array = permute(array, 2 if "q_proj" in name else 1)
        if name == poison:
            array[0] = float("nan")
        if name not in skip:
            file.add_tensor(gguf_name(name), array)
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()
    return path


def merges(words):
    found = json.loads(words.to_str())["model"]["merges"]
    return [pair if isinstance(pair, list) else pair.split(" ") for pair in found]


def gguf_name(name):
    whole = {
        "model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight",
        "lm_head.weight": "output.weight",
    }  # fmt: skip
    if name in whole:
        return whole[name]
    _, _, layer, rest = name.split(".", 3)
    return f"blk.{layer}.{NAMES[rest.removesuffix('.weight')]}.weight"


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return write_llama(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


def open_file(path, cache=None, **options):
    return load_llm(str(path), device="cpu", cache=cache, **options)


def test_weights_tokenizer_and_template_come_from_the_file(file, tmp_path):
    llm = open_file(file, tmp_path, chat_template=True)
    expected = model("llama").state_dict()
    found = llm.model.state_dict()
    assert found.keys() == expected.keys()
    for name, weight in expected.items():
        torch.testing.assert_close(found[name], weight, rtol=0, atol=0)
    ids = Tokenizer.from_str(tokenizer_file()).encode("quick fox", add_special_tokens=False).ids
    # Theirs puts the space before the first word itself.
    assert llm.tokenizer(" quick fox", add_special_tokens=False).input_ids == ids
    assert len(llm.tokenizer) == 320  # without the <|endoftext|> of GPT-2
    assert llm.tokenizer.chat_template == CHAT
    assert llm.tokenizer.eos_token_id == 1


def test_a_file_is_converted_once_by_content(file, tmp_path, monkeypatch):
    first = open_file(file, tmp_path)
    (made,) = (tmp_path / "converted").glob("[!.]*")
    assert "quantization_config" not in (made / "config.json").read_text()
    moved = shutil.copy(file, tmp_path / "moved.gguf")
    monkeypatch.setattr(conversion, "_read", lambda _: pytest.fail("converted again"))
    second = open_file(moved, tmp_path)
    assert second.weights == first.weights
    assert second.description["name"] == str(moved)
    prompts = {"max_new_tokens": 4, "max_input_tokens": 64}
    assert [a.text for a in second.generate(["dog"], **prompts)] == [
        a.text for a in first.generate(["dog"], **prompts)
    ]


def test_a_folder_with_one_file_and_a_package_can_be_named(file, tmp_path, monkeypatch):
    package = tmp_path / "tiny_llama_package"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    shutil.copy(file, package / "tiny.gguf")
    monkeypatch.syspath_prepend(tmp_path)
    names = (str(package), "package:tiny_llama_package", "package:tiny_llama_package/tiny.gguf")
    assert len({load_llm(name, device="cpu", cache=tmp_path).weights for name in names}) == 1


def test_a_file_opens_without_a_cache(file):
    assert open_file(file).weights == open_file(file).weights


@pytest.mark.parametrize("kept", [0, 3, 8, 100, 5000, -50])
def test_a_truncated_file_is_reported_and_leaves_nothing(file, tmp_path, kept):
    torn = tmp_path / "torn.gguf"
    torn.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(ModelError, match=r"torn\.gguf: .*Fetch the file again"):
        open_file(torn, tmp_path / "cache")
    assert not list((tmp_path / "cache" / "converted").glob("[!.]*"))


def test_missing_weights_and_weights_that_are_not_finite_are_reported(tmp_path):
    name = "model.layers.1.mlp.up_proj.weight"
    with pytest.raises(ModelError, match=f"1 weights are missing, including {name}"):
        open_file(write_llama(tmp_path / "less.gguf", skip=(name,)), tmp_path)
    with pytest.raises(ModelError, match=f"the weight {name} is not finite"):
        open_file(write_llama(tmp_path / "nan.gguf", poison=name), tmp_path)


def test_an_unknown_architecture_is_reported(tmp_path):
    with pytest.raises(ModelError, match="can't be read as a GGUF model"):
        open_file(write_llama(tmp_path / "new.gguf", architecture="unheard-of"), tmp_path)


def test_without_the_package_the_extra_is_named(tmp_path, monkeypatch):
    path = tmp_path / "some.gguf"
    path.write_bytes(b"GGUF\x03\0\0\0")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"`gguf`.*pip install pplug-bench\[gguf\].*\[real\]"):
        open_file(path, tmp_path)


def test_encoders_are_not_read_from_gguf(tmp_path):
    from methods.models.config import EncoderConfig
    from methods.models.encoder import Encoder

    path = tmp_path / "some.gguf"
    path.write_bytes(b"GGUF")
    with pytest.raises(ModelError, match=r"is a file.*only LLMs are read from \.gguf"):
        Encoder.open(EncoderConfig(model=str(path)), cache=tmp_path)
