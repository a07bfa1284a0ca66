"""Options that all prefix methods share."""

from typing import Annotated, Self

from pydantic import NonNegativeInt, PositiveInt, model_validator

from methods.core.task_group import TrainOn
from methods.models.config import IN_KEY_IF_CHANGED, TrainingConfig
from methods.prompt.text_side import TextSideConfig


class PrefixConfig(TextSideConfig):
    """Options of every prefix method.

    Attributes:
        training: defaults to the paper's (methods.md §2b).
        max_response_tokens: budget of a training response, end of sequence included.
        max_history: only this many of the newest behaviours are encoded.
        labels_in_history: encode a behaviour's response with its text.
        augment: additional copies of each training example per epoch, each with a random part of
            the history left out (10 in the released PPlug, methods.md §1.3).
        plain_epochs: for this many first epochs, training reads the task's plain inputs instead of
            the prompts that `text` writes. They are shorter, and the prompt doesn't yet show
            anything of the user.
        train_on: "all": one plug is trained on the train sets of all the suite's tasks; "others":
            on those of all but the task that it answers (methods.md §2c).
    """

    training: TrainingConfig = TrainingConfig()
    max_response_tokens: PositiveInt = 128
    max_history: PositiveInt = 512
    labels_in_history: bool = False
    augment: NonNegativeInt = 0
    plain_epochs: NonNegativeInt = 0
    train_on: Annotated[TrainOn, IN_KEY_IF_CHANGED] = "task"

    @model_validator(mode="after")
    def _some_epochs_read_the_text(self) -> Self:
        if self.plain_epochs >= self.training.epochs:
            raise ValueError(
                f"plain_epochs = {self.plain_epochs} leaves none of the {self.training.epochs} "
                "epochs for the prompts that `text` writes"
            )
        return self
