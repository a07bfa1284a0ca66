"""Tiny random models for conformance checks and tests: written in a second, without a download.

Weights have a wide spread, so that answers and vectors differ between inputs: a method that mixes
examples up can't hide behind a model that gives every input the same answer.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

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

    tokenizer = _train_tokenizer(pad="<pad>", eos="</s>", template="$A </s>")
    config = T5Config(
        vocab_size=len(tokenizer), d_model=_HIDDEN, d_ff=64, d_kv=8, num_heads=4, num_layers=1,
        num_decoder_layers=1, dropout_rate=0.1, pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id, decoder_start_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    return _write(T5ForConditionalGeneration, config, tokenizer, folder, seed)


def tiny_llama(folder: Path, *, seed: int = 0) -> Path:
    """Write a one-layer random Llama and its tokenizer to `folder` (Hugging Face layout)."""
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = _train_tokenizer(pad="<pad>", eos="</s>", bos="<s>", template="<s> $A")
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

    tokenizer = _train_tokenizer(
        pad="[PAD]", cls="[CLS]", sep="[SEP]", unk="[UNK]", mask="[MASK]", template="[CLS] $A [SEP]"
    )
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=_HIDDEN, num_hidden_layers=1, num_attention_heads=4,
        intermediate_size=64, max_position_embeddings=512, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    return _write(BertModel, config, tokenizer, folder, seed)


def _train_tokenizer(*, template: str, **special: str) -> "PreTrainedTokenizerFast":
    """A byte-level BPE, which can encode and decode any text."""
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
