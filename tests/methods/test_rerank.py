"""Re-ranking by query likelihood, against likelihoods computed one by one."""

import pytest
import torch

from methods.rerank import Rerank
from methods.retrieval.query_likelihood import QueryLikelihoodReranker
from methods.retrieval.recency import RecencyRetriever
from tasks.common.errors import ModelError
from tests.methods.helpers import LetterEncoder, behavior, build, example, runtime
from tests.methods.models.builders import LINES, PROMPTS, llm

HISTORY = [behavior(str(i), text, "5") for i, text in enumerate([*LINES, *PROMPTS])]
ASKED = [example("1", "the lazy dog near the river", HISTORY), example("2", "a b", HISTORY[3:9])]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


def tiny(kind="t5", **config):
    return llm(kind, device="cpu", decoding={"num_beams": 1, "max_new_tokens": 3}, **config)


def reranker(folder, model, depth=5):
    surroundings = runtime(folder, llm=model, max_input_tokens=240)
    return QueryLikelihoodReranker(RecencyRetriever(), depth, surroundings)


class Counted:
    """An LLM that counts the likelihoods it computes."""

    def __init__(self, model):
        self.model, self.asked = model, []

    def __getattr__(self, name):
        return getattr(self.model, name)

    @property
    def local(self):
        return self

    def loss(self, prompts, responses, **budgets):
        self.asked += zip(prompts, responses, strict=True)
        return self.model.loss(prompts, responses, **budgets)


def by_hand(model, asked, depth):
    """The newest `depth` by the query's mean log-likelihood, token by token; then the others."""
    newest = list(range(len(asked.history)))[::-1]
    gains = {}
    for place in newest[:depth]:
        item = f'5 is the score for "{asked.history[place].text}"'
        ids = model.tokenizer(item)["input_ids"]
        query = [*model.tokenizer(asked.query, add_special_tokens=False)["input_ids"], 1]
        if model.is_encoder_decoder:
            logits = model.model(
                input_ids=torch.tensor([ids]), decoder_input_ids=torch.tensor([[0, *query[:-1]]])
            ).logits[0]
        else:
            logits = model.model(input_ids=torch.tensor([ids + query])).logits[0, len(ids) - 1 : -1]
        each = logits.double().log_softmax(1)[range(len(query)), query]
        gains[place] = each.mean().item()
    return sorted(gains, key=lambda place: -gains[place]) + newest[depth:]


@pytest.mark.parametrize("kind", ["t5", "llama"])
@pytest.mark.parametrize("depth", [1, 5, 30])
def test_the_first_retrievers_best_are_reranked_by_likelihood(tmp_path, kind, depth):
    model = tiny(kind)
    found = reranker(tmp_path, model, depth)
    found.prepare(ASKED)
    for asked in ASKED:
        assert found.rank(asked) == by_hand(model, asked, depth)
    assert found.rank(ASKED[0]) != RecencyRetriever().rank(ASKED[0]) or depth == 1


def test_ranking_needs_no_preparation_or_other_examples(tmp_path):
    together = reranker(tmp_path / "a", tiny(batch_size=7))
    together.prepare(ASKED)
    alone = reranker(tmp_path / "b", tiny(batch_size=1))
    assert [alone.rank(asked) for asked in ASKED] == [together.rank(asked) for asked in ASKED]


def test_each_pair_is_computed_once_and_stored(tmp_path):
    first, second = Counted(tiny()), Counted(tiny())
    twice = behavior("again", HISTORY[-1].text, "5")
    asked = [*ASKED, example("3", ASKED[0].query, [*HISTORY, twice])]
    found = reranker(tmp_path, first)
    found.prepare(asked)
    # Five each; of the third's five newest, all but a duplicate are the first's.
    assert len(first.asked) == len(set(first.asked)) == 10
    expected = [found.rank(one) for one in asked]
    again = reranker(tmp_path, second)
    again.prepare(asked)
    assert [again.rank(one) for one in asked] == expected
    assert (second.asked, again.journal.computed) == ([], 0)
    assert (
        expected[2].index(10) == expected[2].index(9) - 1
    )  # equal texts keep the first retriever's order


def test_only_damaged_likelihoods_are_computed_again(tmp_path):
    found = reranker(tmp_path, tiny())
    found.prepare(ASKED)
    found.journal.path.write_bytes(found.journal.path.read_bytes()[:-9])
    model = Counted(tiny())
    again = reranker(tmp_path, model)
    again.prepare(ASKED)
    assert (len(model.asked), again.journal.damaged) == (1, 1)
    assert [again.rank(asked) for asked in ASKED] == [found.rank(asked) for asked in ASKED]


def test_item_and_query_fit_the_prompt_budget(tmp_path):
    model = Counted(tiny())
    budgets = []
    real = model.model.loss
    model.model.loss = lambda *texts, **given: (budgets.append(given), real(*texts, **given))[1]
    reranker(tmp_path, model).prepare(ASKED)
    assert budgets[0] == {"max_input_tokens": 120, "max_response_tokens": 120}


def test_likelihoods_that_are_not_finite_are_reported(tmp_path):
    model = tiny()
    with torch.no_grad():
        model.model.shared.weight[:] = torch.nan
    with pytest.raises(ModelError, match="logits are not finite"):
        reranker(tmp_path, model).prepare(ASKED)


def test_rerank_reorders_what_the_encoder_retrieves(tmp_path):
    model = tiny()
    history = [
        behavior(str(i), text, "5") for i, text in enumerate(["a a", "a a a", "b", "a", "c"])
    ]
    asked = example("1", "a", history)
    config = {"k": 2, "depth": 3}
    method = build(Rerank, tmp_path, config, llm=model, encoder=LetterEncoder())
    # By letters: 1, 0, 3, then the others; the query's likelihood orders those three.
    items = [f'5 is the score for "{history[i].text}"' for i in (1, 0, 3)]
    with torch.no_grad():
        nll = model.loss(items, ["a"] * 3, max_input_tokens=50, max_response_tokens=50)[0]
    best = [(1, 0, 3)[row] for row in nll.argsort().tolist()[:2]]
    (found,) = method.predict([asked])
    assert found.behaviors == tuple(str(i) for i in best)
    assert Rerank.Config().depth == 20


def test_short_and_empty_histories_are_ranked(tmp_path):
    method = build(Rerank, tmp_path, llm=tiny(), encoder=LetterEncoder())
    found = method.predict([example("1", "a"), example("2", "a", HISTORY[:1])])
    assert [p.behaviors for p in found] == [(), ("0",)]
