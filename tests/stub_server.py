"""An OpenAI-compatible server in this process, on loopback: a tiny LLM, and every fault on order."""

import base64
import io
import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import torch


@dataclass
class Reply:
    """What is sent: a status with headers and a body, or a connection that is closed."""

    body: object = None
    status: int = 200
    headers: dict = field(default_factory=dict)
    drop: bool = False
    stall: threading.Event | None = None  # answer once it is set


def completion(text, *, finish="stop", prompt_tokens=None, new_tokens=1, model="tiny"):
    """A well-formed reply of /completions; without `prompt_tokens`, no usage."""
    usage = {"prompt_tokens": prompt_tokens, "completion_tokens": new_tokens}
    return Reply(
        {
            "model": model,
            "choices": [{"index": 0, "text": text, "finish_reason": finish}],
            **({} if prompt_tokens is None else {"usage": usage}),
        }
    )


class Stub:
    """Requests, in the order in which they came, and how to answer them.

    Attributes:
        requests: (path, JSON body).
        headers: of each request.
        script: replies to the first requests; then `answer` decides.
        endpoint: for `LLMConfig.endpoint`.
    """

    def __init__(self, answer, script=()):
        self.answer, self.script = answer, list(script)
        self.requests, self.headers = [], []
        self.lock = threading.Lock()
        self.endpoint = ""

    def reply(self, path, body, headers):
        with self.lock:
            self.requests.append((path, body))
            self.headers.append(headers)
            if self.script:
                return self.script.pop(0)
        return self.answer(path, body)

    @property
    def prompts(self):
        return [
            json.dumps(
                body.get("prompt") or body.get("messages") or body.get("prompt_embeds"),
                sort_keys=True,
            )
            for _, body in self.requests
        ]


@contextmanager
def serve(answer, script=()):
    """Run a `Stub` on a free port of 127.0.0.1."""
    stub = Stub(answer, script)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            reply = stub.reply(self.path, body, dict(self.headers))
            if reply.stall:
                reply.stall.wait(30)
            if reply.drop:
                self.close_connection = True
                return
            data = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            try:
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
            except OSError:  # the client was killed, or gave up
                self.close_connection = True

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    stub.endpoint = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class TinyServer:
    """Answers as vLLM documents it, by greedy decoding on an opened LanguageModel's weights."""

    def __init__(self, llm, name="tiny"):
        self.llm, self.name = llm, name
        self.lock = threading.Lock()
        self.embeds = []

    def __call__(self, path, body):
        with self.lock, torch.no_grad():
            if "prompt_embeds" in body:
                return self.from_embeds(body)
            if path.endswith("/chat/completions"):
                ids = self.llm.tokenizer(body["messages"][0]["content"]).input_ids
            elif isinstance(body["prompt"], str):
                ids = self.llm.tokenizer(body["prompt"]).input_ids
            else:
                ids = body["prompt"]
            found = self.llm.model.generate(
                input_ids=torch.tensor([ids]), max_new_tokens=body["max_tokens"]
            )[0, len(ids) :]
            return self.complete(path, found.tolist(), len(ids))

    def from_embeds(self, body):
        raw = base64.b64decode(body["prompt_embeds"], validate=True)
        tensor = torch.load(io.BytesIO(raw), weights_only=True, map_location="cpu")
        assert tensor.ndim == 2
        assert tensor.shape[1] == self.llm.hidden_size
        self.embeds.append((tensor, len(raw)))
        found = self.llm.model.generate(
            inputs_embeds=tensor[None].to(self.llm.dtype), max_new_tokens=body["max_tokens"]
        )[0]
        return self.complete("/completions", found.tolist(), len(tensor))

    def complete(self, path, ids, read):
        ended = self.llm.tokens.eos in ids
        reply = completion(
            self.llm.tokenizer.decode(ids, skip_special_tokens=True),
            finish="stop" if ended else "length",
            prompt_tokens=read,
            new_tokens=len(ids),
            model=self.name,
        )
        if path.endswith("/chat/completions"):
            (choice,) = reply.body["choices"]
            choice["message"] = {"role": "assistant", "content": choice.pop("text")}
        return reply
