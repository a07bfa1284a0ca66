"""A small T5 with random weights and a tokenizer trained on the task's train texts."""

from collections.abc import Iterator
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

from methods.cache.folders import make_once
from methods.models.config import ScratchT5
from tasks.example import Dataset

PAD, EOS = "<pad>", "</s>"  # ids 0 and 1, as in T5


def make_scratch_t5(folder: Path, config: ScratchT5, train: Dataset) -> Path:
    """Write the T5 and its tokenizer to `folder`, unless it exists, and return the folder.

    Raises StorageError where it can't be written.
    """

    def make(part: Path) -> None:
        tokenizer = train_tokenizer(list_texts(train), config.vocab_size)
        tokenizer.save_pretrained(part)
        make_random_t5(config, len(tokenizer)).save_pretrained(part)

    return make_once(folder, make)


def list_texts(train: Dataset) -> Iterator[str]:
    """Every distinct text of a train set: inputs, golds, and histories with their responses."""
    found: dict[str, None] = {}
    for example, gold in train.pairs():
        found[example.input] = found[gold] = None
        for behavior in example.history:
            found[behavior.text] = None
            if behavior.response is not None:
                found[behavior.response] = None
    return iter(found)


def train_tokenizer(texts: Iterator[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE, which can encode any text; training it is deterministic."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    bpe.decoder = decoders.ByteLevel()
    bpe.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=vocab_size,
            special_tokens=[PAD, EOS],
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        ),
    )
    bpe.post_processor = processors.TemplateProcessing(
        single=f"$A {EOS}", special_tokens=[(EOS, bpe.token_to_id(EOS))]
    )
    return PreTrainedTokenizerFast(tokenizer_object=bpe, pad_token=PAD, eos_token=EOS)


def make_random_t5(config: ScratchT5, vocab_size: int) -> T5ForConditionalGeneration:
    """A T5 whose weights depend only on `config` and `vocab_size`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return T5ForConditionalGeneration(
            T5Config(
                vocab_size=vocab_size,
                d_model=config.d_model,
                d_kv=max(1, config.d_model // config.heads),
                d_ff=config.d_ff,
                num_layers=config.layers,
                num_decoder_layers=config.decoder_layers,
                num_heads=config.heads,
                dropout_rate=config.dropout,
                pad_token_id=0,
                eos_token_id=1,
                decoder_start_token_id=0,
            )
        )
