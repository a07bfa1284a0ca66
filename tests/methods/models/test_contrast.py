"""Steered answers against a second reading without a cache, a row and a token at a time."""

import pytest
import torch
from transformers import LogitsProcessorList

from methods.models.contrast import Contrast, steer
from methods.models.likelihood import read_starts
from tests.methods.models.builders import KINDS, PROMPTS, llm

BUDGET = {"max_input_tokens": 40, "max_new_tokens": 6}
OTHERS = [*PROMPTS[3:], *PROMPTS[:3]]


def tiny(kind, beams=1, **config):
    return llm(kind, device="cpu", decoding={"num_beams": beams}, **config)


def texts(found):
    return [answer.text for answer in found]


def read(model, prompt, answer):
    """Log-probabilities [V] of the token after `answer`, in one pass over everything."""
    ids = model.tokens.encode([prompt], BUDGET["max_input_tokens"])[0].ids
    if model.is_encoder_decoder:
        logits = model.model(
            input_ids=torch.tensor([ids]), decoder_input_ids=torch.tensor([answer])
        ).logits
    else:
        logits = model.model(input_ids=torch.tensor([[*ids, *answer]])).logits
    return logits[0, -1].log_softmax(-1)


def by_hand(model, prompt, other, strength):
    """`generate` for one prompt, with a processor that reads everything again at each token."""
    ids = model.tokens.encode([prompt], BUDGET["max_input_tokens"])[0].ids
    width = 0 if model.is_encoder_decoder else len(ids)

    def process(input_ids, scores):
        rows = []
        for row, own in zip(input_ids[:, width:].tolist(), scores.log_softmax(-1), strict=True):
            mixed = (1 + strength) * own - strength * read(model, other, row)
            rows.append(mixed.log_softmax(-1))
        return torch.stack(rows)

    found = model.model.generate(
        torch.tensor([ids]),
        max_new_tokens=BUDGET["max_new_tokens"],
        logits_processor=LogitsProcessorList([process]),
    )
    skipped = width or len(read_starts(model.model))
    ends = set(model.model.generation_config.eos_token_id)
    new = found[0, skipped:].tolist()
    end = next((place for place, token in enumerate(new) if token in ends), len(new))
    return model.tokens.decode(new[: end + 1])


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_answers_equal_those_of_two_whole_readings(kind, beams):
    model = tiny(kind, beams)
    contrast = Contrast(OTHERS, 1.5)
    found = texts(model.generate(PROMPTS, contrast=contrast, **BUDGET))
    assert found == [by_hand(model, *pair, 1.5) for pair in zip(PROMPTS, OTHERS, strict=True)]
    assert found != texts(model.generate(PROMPTS, **BUDGET))
    alone = tiny(kind, beams, batch_size=1).generate(PROMPTS, contrast=contrast, **BUDGET)
    assert texts(alone) == found


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_strength_0_changes_nothing_and_minus_1_leaves_the_other_prompt(kind, beams):
    model = tiny(kind, beams)
    ours, theirs = (texts(model.generate(prompts, **BUDGET)) for prompts in (PROMPTS, OTHERS))
    assert texts(model.generate(PROMPTS, contrast=Contrast(OTHERS, 0), **BUDGET)) == ours
    assert texts(model.generate(PROMPTS, contrast=Contrast(OTHERS, -1), **BUDGET)) == theirs
    assert ours != theirs


def test_what_one_reading_forbids_stays_forbidden():
    ours = torch.tensor([[0.5, 0.5, 0.0]]).log()
    theirs = torch.tensor([[0.8, 0.1, 0.1]]).log()
    assert steer(ours, theirs, 1.0).exp().tolist() == [pytest.approx([1 / 9, 8 / 9, 0])]
    assert steer(ours, theirs, -1.0).exp().tolist() == [pytest.approx([8 / 9, 1 / 9, 0])]


@pytest.mark.parametrize("kind", ["t5", "llama"])
def test_labels_are_chosen_by_both_readings(kind):
    model = tiny(kind)
    labels, room = ["dog", "fox", "user", "lazy", "river"], {"max_input_tokens": 40}
    ours = model.label_likelihoods(PROMPTS, labels, **room)
    theirs = model.label_likelihoods(OTHERS, labels, **room)
    best = (3 * ours - 2 * theirs).argmax(1).tolist()
    found = model.choose_labels(PROMPTS, labels, contrast=Contrast(OTHERS, 2.0), **room)
    assert texts(found) == [labels[place] for place in best]
    assert texts(found) != texts(model.choose_labels(PROMPTS, labels, **room))
