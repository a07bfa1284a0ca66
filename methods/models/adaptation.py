"""Tune the shared LLM on a task's train set, without any profile, before methods use it."""

import json
import shutil
from pathlib import Path
from typing import Any

import torch

from methods.cache.folders import make_once
from methods.models import pretrained
from methods.models.checks import read_quantization
from methods.models.config import LLMConfig, LoraConfig
from methods.models.language_model import LanguageModel
from methods.models.processes import ALONE, Processes
from methods.models.report import FitReport
from methods.models.training import TrainingData, train_module
from tasks.common.errors import ModelError
from tasks.common.files import write_json
from tasks.common.progress import Progress
from tasks.common.seeds import Seeds
from tasks.example import Dataset
from tasks.task import Task

RECORD = "adaptation.json"
"""Next to an adapted LLM's weights: its `weights_key` and loss curve."""


def adapt_llm(
    folder: Path,
    base: Path,
    config: LLMConfig,
    *,
    task: Task,
    train: Dataset,
    seed: int,
    progress: Progress,
    processes: Processes = ALONE,
) -> Path:
    """Tune the LLM in `base` on `example.input` → gold and write it to `folder`, unless it exists.

    The result is an ordinary model folder, with the loss curve in adaptation.json. A killed run
    resumes from its last checkpoint, which is stored next to `folder` until training ends.

    Args:
        folder: named by the adapted LLM's `weights_key`.
        processes: that tune it together, each calling this function with equal arguments.

    Returns:
        `folder`.

    Raises:
        ModelError: `base` can't be loaded or is quantized, LoRA finds no modules, or the loss is
            not finite.
        StorageError: the cache can't be written.
    """
    checkpoint = folder.with_name(f".{folder.name}.checkpoint")
    quantized = read_quantization(base)
    if quantized is not None:
        raise ModelError(
            f"its weights are quantized ({quantized}), so it can't be tuned and stored again",
            file=base,
            hint='Set adapt = "none", or name a folder of weights that aren\'t quantized',
        )

    def tune() -> tuple[LanguageModel, Any, FitReport]:
        """The LLM, what was trained of it, and how."""
        seeds = Seeds.root("adapt", task.name, seed)
        device = pretrained.device_of(config.device)
        # Adapters are float32 over any base; full tuning changes the base itself, so in float32.
        lora = config.adapt == "lora"
        dtype = pretrained.dtype_of(config.dtype, device) if lora else torch.float32
        model, tokenizer = pretrained.load(
            base, dtype=dtype, device=device, device_map=config.device_map
        )
        llm = LanguageModel(model, tokenizer, config, folder.name, name=config.name)
        tuned = _add_lora(llm, config.lora, seeds) if lora else model.requires_grad_()
        training = config.adaptation
        with llm.checkpointed(training.gradient_checkpointing):
            report = train_module(
                tuned,
                _data(llm, train, task, training.max_input_tokens),
                training,
                seeds=seeds,
                identity=folder.name,
                checkpoint=checkpoint,
                progress=progress,
                processes=processes,
            )
        return llm, tuned, report

    def make(part: Path) -> None:
        needed.append(processes.share(value=True))
        llm, tuned, report = tune()
        final = tuned.merge_and_unload() if config.adapt == "lora" else llm.model
        final.save_pretrained(part)
        llm.tokenizer.save_pretrained(part)
        write_json(
            part / RECORD,
            {"weights": folder.name, "steps": report.steps, "curve": list(report.curve)},
        )

    needed: list[bool] = []
    if processes.is_main:
        make_once(folder, make)
        if not needed:
            processes.share(value=False)
        shutil.rmtree(checkpoint, ignore_errors=True)
    elif processes.share(value=True):
        tune()
    processes.wait()  # until it is stored
    return folder


def read_adapted_key(folder: Path) -> str | None:
    """The `weights_key` of an LLM that `adapt_llm` wrote; None for any other folder.

    Raises ModelError where the folder's record is broken.
    """
    file = folder / RECORD
    if not file.is_file():
        return None
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))["weights"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(
            f"is not a readable record of an adaptation ({error})",
            file=file,
            hint="Delete the folder and run the suite that made it again",
        ) from error


def _data(llm: LanguageModel, train: Dataset, task: Task, max_input_tokens: int) -> TrainingData:
    inputs = [example.input for example, _ in train.pairs()]
    golds = [gold for _, gold in train.pairs()]
    return TrainingData(
        ids=[example.id for example in train.examples],
        lengths=[len(prompt.ids) for prompt in llm.tokens.encode(inputs, max_input_tokens)],
        nll=lambda rows, _epoch: llm.loss(
            [inputs[row] for row in rows],
            [golds[row] for row in rows],
            max_input_tokens=max_input_tokens,
            max_response_tokens=task.max_new_tokens,
        ),
    )


def _add_lora(llm: LanguageModel, config: LoraConfig, seeds: Seeds) -> Any:
    """The LLM wrapped by peft, which inserts its adapters into `llm.model` itself."""
    import peft

    seq2seq = llm.is_encoder_decoder

    with torch.random.fork_rng(devices=[llm.device] if llm.device.type == "cuda" else []):
        torch.manual_seed(seeds.seed("lora"))
        try:
            return peft.get_peft_model(
                llm.model,
                peft.LoraConfig(
                    task_type=peft.TaskType.SEQ_2_SEQ_LM if seq2seq else peft.TaskType.CAUSAL_LM,
                    r=config.rank,
                    lora_alpha=config.alpha,
                    lora_dropout=config.dropout,
                    target_modules=list(config.targets) if config.targets else None,
                ),
            )
        except ValueError as error:
            raise ModelError(
                f"LoRA finds no modules to adapt ({error})",
                file=llm.name,
                hint="Set `lora.targets` to the ends of its linear layers' names",
            ) from error
