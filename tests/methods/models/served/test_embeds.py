"""Soft tokens to a server, in the format that vLLM documents (no vLLM runs here)."""

import base64
import io
import pickletools
import runpy
import sys
import zipfile
from pathlib import Path

import pytest
import torch

from methods.models.config import EncoderConfig
from methods.models.encoder import Encoder
from methods.models.served.embeds import digest, encode, join
from methods.pplug import PPlug
from methods.prefix.deploy import DeployedPlug
from tasks.common.errors import ConfigError, ModelError
from tests.methods.helpers import runtime
from tests.methods.models.served.conftest import LIMITS
from tests.methods.prefix.test_deploy import OTHERS, PROMPTS, TEXTS, TRAIN, asked
from tests.stub_server import TinyServer, serve
from tests.tiny import tiny_encoder, tiny_llama

DOCS = Path(__file__).parents[4] / "docs"
PAGE, EXAMPLE = DOCS / "served_llms.md", DOCS / "examples/answer_through_a_server.py"
OPTIONS = {"dialect": "vllm", "prompt_embeds": True}


def load(text):
    """What vLLM does with `prompt_embeds`."""
    raw = base64.b64decode(text, validate=True)
    return torch.load(io.BytesIO(raw), weights_only=True, map_location=torch.device("cpu"))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_the_wire_format_is_torch_save_in_base64(dtype):
    table = torch.arange(12, dtype=dtype).view(6, 2)
    text = encode(table[1:3].requires_grad_())
    found = load(text)
    assert torch.equal(found, torch.tensor([[2, 3], [4, 5]], dtype=dtype))
    assert (found.dtype, found.layout, found.device.type) == (dtype, torch.strided, "cpu")
    assert not found.requires_grad
    buffer = io.BytesIO()
    torch.save(torch.tensor([[2, 3], [4, 5]], dtype=dtype), buffer)
    assert text == base64.b64encode(buffer.getvalue()).decode()  # byte for byte


def test_only_the_rows_travel():
    rows = torch.zeros(5_000, 64)[10:12]
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(encode(rows)))) as archive:
        (data,) = [name for name in archive.namelist() if "/data/" in name]
        assert len(archive.read(data)) == 2 * 64 * 4
        (pickle,) = [name for name in archive.namelist() if name.endswith("data.pkl")]
        names = {str(arg) for op, arg, _ in pickletools.genops(archive.read(pickle)) if arg}
    assert "torch._utils _rebuild_tensor_v2" in names


def test_a_key_tells_tensors_apart():
    ones = torch.ones(2, 3)
    keys = [digest(t) for t in (ones, ones * 2, ones.half(), torch.ones(3, 2))]
    assert len(set(keys)) == 4
    assert digest(torch.ones(4, 3)[:2]) == keys[0]


def test_soft_tokens_precede_the_prompts_embeddings(local):
    ids = local.tokens.encode(["a review"], 64)[0].ids
    prefix = torch.randn(2, local.hidden_size)
    joined = join(local, ids, prefix)
    table = local.model.get_input_embeddings().weight
    assert torch.equal(joined, torch.cat([prefix, table[ids]]))
    assert torch.equal(join(local, ids, None), table[ids])


def test_soft_tokens_give_the_same_answers_locally_and_served(llama, local, open_served):
    prompts = ["What is the score?", "a", "Which tag, among these tags, fits"]
    prefix = torch.randn(3, 2, local.hidden_size) * local.embedding_norm() / 5
    expected = local.generate(prompts, prefix=prefix, **LIMITS)
    assert expected != local.generate(prompts, **LIMITS)
    with serve(TinyServer(local)) as stub:
        served = open_served(stub.endpoint, weights=str(llama), **OPTIONS)
        assert served.generate(prompts, prefix=prefix, **LIMITS) == expected
        asked_for = [body for _, body in stub.requests]
        assert len(asked_for) == 5  # the probe's two, then three
        assert all(("prompt" in body) != ("prompt_embeds" in body) for body in asked_for)
        tensor = load(asked_for[2]["prompt_embeds"])
        assert tensor.shape[1] == local.hidden_size
        again = open_served(stub.endpoint, weights=str(llama), **OPTIONS)
        assert again.generate(prompts, prefix=prefix, **LIMITS) == expected
        assert len(stub.requests) == 5


def test_a_server_that_ignores_embeddings_or_has_other_weights_is_refused(
    llama, local, open_served, tmp_path
):
    other = tiny_llama(tmp_path / "other", seed=1)
    prefix = torch.zeros(1, 1, local.hidden_size)
    with serve(TinyServer(local)) as stub:
        served = open_served(stub.endpoint, weights=str(other), **OPTIONS)
        with pytest.raises(ModelError, match="to the same tokens' embeddings"):
            served.generate(["a"], prefix=prefix, **LIMITS)


@pytest.fixture
def plug(llama, local, tmp_path):
    """A folder with a plug that was trained on the local weights."""
    folder = tmp_path / "harness"
    encoder = Encoder.open(
        EncoderConfig(model=str(tiny_encoder(tmp_path / "encoder")), device="cpu"), cache=tmp_path
    )
    made = runtime(folder, llm=local, encoder=encoder, max_input_tokens=120)
    training = {"max_steps": 2, "batch_size": 2, "learning_rate": 1e-3}
    method = PPlug(PPlug.Config(training=training), made)
    method.fit(TRAIN, None)
    method.save(tmp_path / "plug")
    return tmp_path / "plug"


def test_a_plug_trained_here_answers_through_the_server(plug, llama, local, open_served):
    own = DeployedPlug.from_pretrained(plug, local)
    expected = [own.respond(prompt, TEXTS) for prompt in PROMPTS]
    tiny = TinyServer(local)
    with serve(tiny) as stub:
        served = open_served(stub.endpoint, weights=str(llama), **OPTIONS)
        deployed = DeployedPlug.from_pretrained(plug, served)
        assert [deployed.respond(prompt, TEXTS) for prompt in PROMPTS] == expected
        state = deployed.user_state(TEXTS)
        assert [deployed.respond(prompt, state) for prompt in PROMPTS] == [
            own.respond(prompt, state) for prompt in PROMPTS
        ]
        deployed.respond(PROMPTS[0], OTHERS)
    # Nothing but embeddings travelled, apart from the probe's known text.
    assert sum("prompt" in body for _, body in stub.requests) == 1
    assert asked(PROMPTS[0], TEXTS).input not in str(stub.requests)


def test_the_page_deploys_a_plug_on_a_server(plug, llama, local, monkeypatch, capsys):
    expected = DeployedPlug.from_pretrained(plug, local)
    with serve(TinyServer(local)) as stub:
        arguments = [str(plug), str(llama), stub.endpoint, "tiny"]
        monkeypatch.setattr(sys, "argv", ["answer_through_a_server.py", *arguments])
        found = runpy.run_path(str(EXAMPLE))
    shown = capsys.readouterr().out.removesuffix("\n")
    counts = found["plug"].method.runtime.llm.description
    assert (counts["answers"], counts["requests"]) == (1, 3)  # the probe sends two
    assert shown == expected.respond(found["prompt"], found["past"])
    code = EXAMPLE.read_text().split('"""\n\n')[1]
    assert f"```python\n{code}```" in PAGE.read_text()


def test_a_server_without_the_weights_here_takes_no_plug(plug, llama, open_served):
    served = open_served("http://127.0.0.1:1/v1", tokenizer=str(llama))
    with pytest.raises(ConfigError, match="needs weights"):
        DeployedPlug.from_pretrained(plug, served)
