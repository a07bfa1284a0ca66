"""PPlug by hand: tiny surroundings, and the paper's formulas one user at a time in float64."""

import dataclasses
import math
import re
from contextlib import contextmanager
from datetime import date

import torch
from transformers import AutoTokenizer, BertModel

from methods.models.config import EncoderConfig
from methods.models.encoder import Encoder
from methods.pplug import PPlug
from tests.methods.helpers import behavior, build, example, split
from tests.methods.models.builders import PROMPTS, llm
from tests.tiny import tiny_encoder

TEXTS = ["bread and tea", "war", "salt of the river", "a long winter in a small town", "tea", "ink"]
SIZES = (3, 0, 1, 6, 2, 4, 5)
GOLDS = {str(n): "12345"[n % 5] + " of five" * (n % 3) for n in range(7)}


def history(size):
    """`size` behaviours whose dates are in no order."""
    return [
        behavior(f"b{i}", TEXTS[(size + i) % 6], str(1 + i % 5), f"2020-0{1 + 4 * i % 7}-01")
        for i in range(size)
    ]


EXAMPLES = [
    dataclasses.replace(
        example(str(n), f"query {n}", history(size), input=PROMPTS[n]), subject=f"subject {n}"
    )
    for n, size in enumerate(SIZES)
]
TRAIN = split(GOLDS, examples=EXAMPLES)


def encoder(folder, seed=0, **config):
    """A tiny BERT whose vectors have unit length, as BGE's do; D = 32, the LLMs' H is 16."""
    if not folder.exists():
        tiny_encoder(folder, seed=seed)
    settings = {"normalize": True, "query_prefix": "ask: ", "device": "cpu"} | config
    return Encoder.open(EncoderConfig(model=str(folder), **settings), cache=folder.parent)


@contextmanager
def float64():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def pplug(folder, method=PPlug, *, frozen=None, **config):
    """A method on the LLM `frozen` (a tiny T5) and a tiny encoder, both kept in `folder`."""
    training = {"epochs": 2, "batch_size": 3, "learning_rate": 1e-2, "micro_batch_size": 3}
    config = {"training": training} | config
    return build(
        method, folder, config, llm=frozen or tiny_llm(), encoder=encoder(folder / "encoder")
    )


def tiny_llm(kind="t5", **config):
    decoding = {"num_beams": 1, "max_new_tokens": 5}
    return llm(kind, device="cpu", decoding=decoding, **config)


def in_float64(folder, kind, method=PPlug, **config):
    """A method all in float64, its weights no longer the initial ones."""
    with float64():
        method = pplug(folder, method, frozen=tiny_llm(kind, double=True), **config)
        module = method.plug.double().eval()
    random = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for weight in module.parameters():
            weight.add_(0.1 * torch.randn(weight.shape, generator=random, dtype=torch.float64))
    return method


def gelu(v):
    return 0.5 * v * (1 + torch.erf(v / math.sqrt(2)))


def mlp(weights, name, v):
    hidden = gelu(weights[f"{name}.first.weight"] @ v + weights[f"{name}.first.bias"])
    return weights[f"{name}.last.weight"] @ hidden + weights[f"{name}.last.bias"]


def encoded(folder, text, weights=None):
    """The mean over BERT's token vectors, at unit length; `weights` of the tuned encoder."""
    bert = BertModel.from_pretrained(folder).double().eval()
    if weights is not None:
        inner = re.compile(r"encoder\.model\.0\.\w+\.(.*)")
        own = {inner.fullmatch(n)[1]: w for n, w in weights.items() if inner.fullmatch(n)}
        bert.load_state_dict(own)
    ids = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt").input_ids
    with torch.no_grad():
        mean = bert(input_ids=ids).last_hidden_state[0].mean(0)
    return mean / mean.norm()


class ByHand:
    """X, answers and losses of one in-float64 method, a row at a time, without padding.

    Args:
        norm: of the instruction's MLP when it was new.
    """

    def __init__(self, method, folder):
        self.method, self.folder, self.config = method, folder / "encoder", method.config
        self.weights = {n: w.detach() for n, w in method.plug.state_dict().items()}
        self.llm = method.runtime.llm
        self.table = self.llm.model.get_input_embeddings().weight.detach()
        self.scale = self.table.pow(2).sum(1).sqrt().sum() / len(self.table)

    def stored(self, text, side="document"):
        """A frozen vector as the store keeps it (float32), in float64."""
        return torch.from_numpy(self.method.runtime.embeddings.get([text], side=side))[0].double()

    def used(self, example):
        """The behaviours whose vectors count: the newest, of these the nearest to the query."""
        items = sorted(example.history, key=lambda b: b.date)[-self.config.max_history :]
        k = self.config.history_top_k
        if k is not None:
            query = self.stored(example.query, "query")
            items = sorted(items, key=lambda b: -(query @ self.stored(b.text)))[:k]
        return items

    def soft_tokens(self, example):
        """[I; P], [P, H]."""
        config, tokens = self.config, []
        if config.instruction:
            u = self.weights["instruction.embedding"]
            initial = self.weights["instruction.initial_norm"]
            tokens.append(mlp(self.weights, "instruction.projector", u) / initial * self.scale)
        if config.user:
            tokens += [*self.user(example).reshape(len(config.views) * config.n_tokens, -1)]
        return torch.stack(tokens)

    def user(self, example):
        """P = Σ w_i Proj(h_i), one after the other for each view: [V · n_tokens · H]."""
        config, items = self.config, self.used(example)
        size = config.n_tokens * self.table.shape[1]
        if not items:
            return torch.zeros(len(config.views) * size, dtype=torch.float64)
        hs = self.vectors(items)
        if self.config.whiten:
            mean, matrix = self.weights["whitening.mean"], self.weights["whitening.matrix"]
            hs = [(h - mean) @ matrix for h in hs]
        projected = [mlp(self.weights, "projector", h) for h in hs]
        parts = []
        for place, view in enumerate(config.views):
            own = slice(place * size, (place + 1) * size)
            shares = self.shares(view, example)
            parts.append(sum(share * p[own] for share, p in zip(shares, projected, strict=True)))
        return torch.cat(parts) * self.scale

    def vectors(self, items):
        """h of each item."""
        labels = self.config.labels_in_history
        return [self.stored(f"{b.text} {b.response}" if labels else b.text) for b in items]

    def similarities(self, example):
        """x·h / temperature of each item that counts."""
        config, hs = self.config, self.vectors(self.used(example))
        if not config.attention:
            return [0.0 for _ in hs]
        if config.encoder_trainable:
            x = encoded(self.folder, f"ask: {example.subject}", self.weights)
        else:
            x = self.stored(example.subject, "query")
        learned = self.weights.get("temperature.log")
        temperature = config.temperature if learned is None else math.exp(learned)
        return [float(x @ h) / temperature for h in hs]

    def attention(self, example):
        """w of each item that counts, the mean over all views."""
        of_views = [self.shares(view, example) for view in self.config.views]
        return [sum(shares) / len(of_views) for shares in zip(*of_views, strict=True)]

    def shares(self, view, example):
        """w of each item that counts, in one view."""
        config, items = self.config, self.used(example)
        similar, size = self.similarities(example), config.view_size
        newer = [sum(other.date > b.date for other in items) for b in items]
        if view == "recent":
            return [(n < size) / min(size, len(items)) for n in newer]
        if view == "near":
            least = sorted(similar)[-size:][:1]
            powers = [math.exp(s) if s >= least[0] else 0.0 for s in similar]
            return [power / sum(powers) for power in powers]
        newest = max((date.fromisoformat(b.date) for b in items), default=None)
        powers = []
        for s, n, b in zip(similar, newer, items, strict=True):
            terms = {"order": n, "time": (newest - date.fromisoformat(b.date)).days}
            penalty = config.time_decay * n / len(items) + sum(
                float(self.weights[f"recency.rates.{term}"]) * math.log(1 + terms[term])
                for term in config.recency
            )
            powers.append(math.exp(s - penalty))
        shares, summed = [power / sum(powers) for power in powers], 0.0
        for place in sorted(range(len(items)), key=lambda i: -shares[i]):
            summed, shares[place] = summed + shares[place], shares[place] * (summed < config.top_p)
        return [share / sum(shares) for share in shares]

    def inputs(self, example):
        """X = [I; P; Emb(x)]."""
        ids = self.llm.tokenizer(example.input).input_ids
        return torch.cat([self.soft_tokens(example), self.table[ids]])

    @torch.no_grad()
    def logits(self, example, response):
        """Of each token of `response` (ids), and of what follows it: [len + 1, V]."""
        x = self.inputs(example)
        if self.llm.is_encoder_decoder:
            found = self.llm.model(
                inputs_embeds=x[None], decoder_input_ids=torch.tensor([[0, *response]])
            )
            return found.logits[0]
        whole = torch.cat([x, self.table[response]])
        return self.llm.model(inputs_embeds=whole[None]).logits[0, len(x) - 1 :]

    def nll(self, example, gold):
        """-Σ log p(y_t | X, y_<t), end of sequence included, and the number of tokens."""
        ids = [*self.llm.tokenizer(gold, add_special_tokens=False).input_ids, 1]
        logits = self.logits(example, ids)[: len(ids)]
        chosen = [row[id] - row.exp().sum().log() for row, id in zip(logits, ids, strict=True)]
        return -sum(chosen), len(ids)

    def answer(self, example):
        """The greedy answer of up to 5 tokens."""
        ids = []
        while len(ids) < 5 and 1 not in ids:
            ids.append(int(self.logits(example, ids)[-1].argmax()))
        return self.llm.tokenizer.decode(ids, skip_special_tokens=True).strip()
