"""How much of an LLM there is to work with, and how much a method needs. Imports no torch."""

from enum import IntEnum


class Access(IntEnum):
    """Each level includes those before it.

    TEXT: prompts in, answers out, as any server offers it.
    EMBEDDINGS: soft tokens too; they are trained on local weights of the same model.
    WEIGHTS: the model itself is here: its activations, adapters and likelihoods.
    """

    TEXT = 0
    EMBEDDINGS = 1
    WEIGHTS = 2
