"""Tiny random models for the conformance suite and the tests: made in a second, no download.

Random weights drawn wide, so that answers and vectors differ from input to input: a method that
mixes examples up can't hide behind a model that always says the same.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from methods.core.runtime import Runtime
from tasks import Task
from tasks.common.seeds import Seeds

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from bench.conformance import MakeRuntime

_LINES = (
    "What is the score of the following review on a scale of 1 to 5? just answer with 1, 2, 3, 4,",
    "Which tag does this movie relate to among the following tags? Just answer with the tag name",
    "Generate a headline for the following article: the title for the paper and a tweet",
    "is the score for the tag for the movie: is a title for. Following the given patterns",
    "For an author who has written the paper with the title which reference is related?",
)
_HIDDEN = 32


def tiny_t5(folder: Path, *, seed: int = 0) -> Path:
    """Write a one-layer random T5 and its tokenizer to `folder` (Hugging Face layout)."""
    from transformers import T5Config, T5ForConditionalGeneration

    tokenizer = _tokenizer(pad="<pad>", eos="</s>", template="$A </s>")
    config = T5Config(
        vocab_size=len(tokenizer), d_model=_HIDDEN, d_ff=64, d_kv=8, num_heads=4, num_layers=1,
        num_decoder_layers=1, dropout_rate=0.1, pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id, decoder_start_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    return _write(T5ForConditionalGeneration, config, tokenizer, folder, seed)


def tiny_llama(folder: Path, *, seed: int = 0) -> Path:
    """Write a one-layer random Llama and its tokenizer to `folder` (Hugging Face layout)."""
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = _tokenizer(pad="<pad>", eos="</s>", bos="<s>", template="<s> $A")
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=_HIDDEN, intermediate_size=64, num_hidden_layers=1,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=2048,
        pad_token_id=tokenizer.pad_token_id, bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    return _write(LlamaForCausalLM, config, tokenizer, folder, seed)


def tiny_encoder(folder: Path, *, seed: int = 0) -> Path:
    """Write a one-layer random BERT (dimension 32) and its tokenizer to `folder`.

    No sentence-transformers modules: pooling "auto" is the mean, unnormalised.
    """
    from transformers import BertConfig, BertModel

    tokenizer = _tokenizer(
        pad="[PAD]", cls="[CLS]", sep="[SEP]", unk="[UNK]", mask="[MASK]", template="[CLS] $A [SEP]"
    )
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=_HIDDEN, num_hidden_layers=1, num_attention_heads=4,
        intermediate_size=64, max_position_embeddings=512, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    return _write(BertModel, config, tokenizer, folder, seed)


def tiny_runtimes(task: Task, folder: Path) -> "MakeRuntime":
    """Runtimes for `bench.conformance.check`, on a tiny T5 and a tiny encoder made in `folder`.

    Two beams, 6 new tokens, 384 input tokens.
    """
    from methods.models.config import Decoding, EncoderConfig, LLMConfig
    from methods.models.encoder import Encoder
    from methods.models.language_model import LanguageModel
    from methods.models.opening import open_llm

    llm, encoder = folder / "t5", folder / "encoder"
    if not llm.exists():
        tiny_t5(llm)
    if not encoder.exists():
        tiny_encoder(encoder)

    @cache
    def open_tiny_llm(batch_size: int) -> LanguageModel:
        config = LLMConfig(
            model=str(llm),
            device="cpu",
            batch_size=batch_size,
            decoding=Decoding(num_beams=2, max_new_tokens=6),
        )
        return open_llm(config, task=task, train=None, seed=0, cache=folder)

    @cache
    def open_encoder() -> Encoder:
        return Encoder.open(EncoderConfig(model=str(encoder), device="cpu"), cache=folder)

    def make_runtime(folder: Path, *, batch_size: int) -> Runtime:
        return Runtime(
            task=task,
            seeds=Seeds.root("conformance", task.name),
            max_input_tokens=384,
            cache=folder / "cache",
            scratch=folder / "scratch",
            open_llm=lambda: open_tiny_llm(batch_size),
            open_encoder=open_encoder,
            bounds=_AnyBound(),
            golds=_AnyAnswer(task.labels),
        )

    return make_runtime


class _AnyBound(dict[str, dict[str, str]]):
    """Knows some answer to every example, whatever the bound."""

    def __missing__(self, bound: str) -> dict[str, str]:
        return _AnyAnswer()


class _AnyAnswer(dict[str, str]):
    """The first of the labels; without labels, a text of the example's own."""

    def __init__(self, labels: Sequence[str] = ()) -> None:
        self.labels = labels

    def __missing__(self, id: str) -> str:
        return self.labels[0] if self.labels else f"the answer to {id}"


def _tokenizer(*, template: str, **special: str) -> "PreTrainedTokenizerFast":
    """A byte-level BPE that reads and writes any text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=list(special.values()), show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )  # fmt: skip
    tokenizer.train_from_iterator(_LINES, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=template,
        special_tokens=[
            (token, tokenizer.token_to_id(token))
            for token in special.values()
            if token in template.split()
        ],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, **{f"{name}_token": token for name, token in special.items()}
    )


def _write(
    model_class: type, config: object, tokenizer: "PreTrainedTokenizerFast", folder: Path, seed: int
) -> Path:
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = model_class(config)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.ndim > 1:
                    parameter.normal_(std=0.3)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
