"""The one training loop: resume, step, save a checkpoint, report progress.

What a step is differs and is supplied by each trainer: epochs over a train set (`training`), many
users' adapters at once (`methods.lora.training`), endless generated text
(`methods.embedded.steps`).
"""

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from methods.models.checkpoint import Checkpoint, State
from tasks.common.progress import Progress


def run_steps(
    module: nn.Module,
    step: Callable[[State], None],
    *,
    total: int,
    label: str,
    stateful: Mapping[str, Any],
    checkpoint: Checkpoint,
    progress: Progress,
    after_step: Callable[[State], bool] = lambda state: False,  # noqa: ARG005
    should_stop: Callable[[State], bool] = lambda state: False,  # noqa: ARG005
) -> State:
    """Train `module` for `total` steps from its last checkpoint; it ends in eval mode.

    Args:
        step: takes the optimizer step numbered `state.step` (from 0) and updates the rest of the
            state. It must depend on nothing but the state and that number, so that a resumed run
            ends as an uninterrupted one.
        after_step: called with `state.step` already advanced; True asks for a checkpoint.
        should_stop: ends the training early.
        stateful: name -> optimizer or scheduler, saved with the module.

    Returns:
        The final state.

    Raises:
        ModelError: the checkpoint belongs to another training, or whatever `step` raises.
        StorageError: a checkpoint can't be written.
    """
    state = checkpoint.restore(module, stateful) or State()
    progress.start(label, total)
    progress.advance(state.step)
    module.train()
    while state.step < total and not should_stop(state):
        step(state)
        state.step += 1
        wanted = after_step(state)
        if wanted or checkpoint.due():
            checkpoint.save(module, stateful, state)
        progress.advance()
    module.eval()
    return state
