"""Write the tables of docs/budgets.md: the share of the query read, by method, budget and rule.

    python docs/tools/write_budgets.py DATA TOKENIZER [--chat-template]

DATA is a folder in LaMP's official layout with dev sets of LaMP-4, LaMP-5 and LaMP-6; TOKENIZER is
a model folder or a GGUF file. No LLM runs: prompts need a tokenizer, retrievers and an encoder
alone. PAG's summaries are stand-ins of full length, the beginning of what the summarizer reads.
"""

import argparse
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from transformers import AutoTokenizer

from bench.records import Totals
from bench.settings import load_settings
from bench.tables.notes import format_share
from methods import METHODS
from methods.core.method import MethodConfig
from methods.core.runtime import Runtime
from methods.models.config import LLMConfig
from methods.models.encoder import Encoder
from methods.models.generation import Generation
from methods.models.tokenization import PromptTokenizer
from methods.prompt.method import PromptMethod
from methods.prompt.text_side import TextSideConfig
from tasks import TASKS
from tasks.budget import LAMP, QUERY_FIRST, Budget
from tasks.common.files import content_key
from tasks.common.seeds import Seeds
from tasks.data.loading import load_dataset
from tasks.example import Example

PAGE = Path(__file__).parents[1] / "budgets.md"
BLOCK = re.compile(r"(<!-- budgets -->\n).*?(<!-- end of budgets -->)", re.DOTALL)
TASKS_SHOWN = ("LaMP-4", "LaMP-5", "LaMP-6")
BUDGETS = [Budget(tokens, rule) for tokens in (128, 256, 512) for rule in (LAMP, QUERY_FIRST)]
ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "zero-shot": ("zero-shot", {}),
    "recency, k = 4": ("recency", {"k": 4}),
    "BM25, k = 4": ("bm25", {"k": 4}),
    "dense, k = 4": ("dense", {"k": 4}),
    "PAG, k = 1": ("pag", {}),
    "PPlug": ("pplug", {}),
    "PPlug + dense, k = 4": ("pplug", {"text": "dense", "text_options": {"k": 4}}),
}
"""Label → method and options."""


@dataclass
class TokenizerOnly:
    """Stands in for an LLM: cuts and counts prompts as it would, and answers with their beginning.

    `tokens`, `config`, `identity`, `name` and `prompt_overhead` are a LanguageModel's.
    """

    tokens: PromptTokenizer
    identity: str = "a tokenizer alone"
    name: str = "a tokenizer alone"
    config: LLMConfig = field(default_factory=lambda: LLMConfig(model="a tokenizer alone"))

    @property
    def prompt_overhead(self) -> int:
        """Tokens that special tokens and the chat template add to a prompt's text."""
        return self.tokens.overhead

    def generate(
        self, prompts: Sequence[str], *, max_new_tokens: int, max_input_tokens: int, **_: Any
    ) -> list[Generation]:
        """The first `max_new_tokens` tokens of each prompt, with what was read of it."""
        return [
            Generation(
                text=self.tokens.truncate(prompt, max_new_tokens),
                prompt_tokens=len(read.ids),
                truncated_tokens=read.truncated,
                new_tokens=max_new_tokens,
            )
            for prompt, read in zip(
                prompts, self.tokens.encode(prompts, max_input_tokens), strict=True
            )
        ]


def open_tokenizer(path: Path, *, chat_template: bool) -> PromptTokenizer:
    """The tokenizer of a model folder or a GGUF file."""
    folder, options = (path.parent, {"gguf_file": path.name}) if path.is_file() else (path, {})
    tokenizer = AutoTokenizer.from_pretrained(folder, **options)
    return PromptTokenizer(tokenizer, chat_template=chat_template, name=str(path))


def find_prompt_method(
    name: str, options: dict[str, Any]
) -> tuple[type[PromptMethod], MethodConfig]:
    """The method, or the one that writes its prompts, and its options."""
    method = METHODS.get(name)
    config = method.parse_config(options, name)
    if issubclass(method, PromptMethod):
        return method, config
    assert isinstance(config, TextSideConfig)  # noqa: S101  as all others in ROWS have
    return config.text_side()


def measure(
    task: str, examples: Sequence[Example], llm: TokenizerOnly, encoder: Encoder, cache: Path
) -> Iterator[tuple[str, list[Totals]]]:
    """Each row's label and its totals at every budget."""
    known: dict[str, list[Totals]] = {}
    for label, (name, options) in ROWS.items():
        method, config = find_prompt_method(name, options)
        key = content_key(method.key(config).to_json())
        if key in known:  # soft tokens change nothing in a prompt
            yield label, known[key]
            continue
        found = known[key] = []
        for budget in BUDGETS:
            runtime = Runtime(
                task=TASKS.get(task)(),
                seeds=Seeds.root(task, 0),
                max_input_tokens=budget.tokens,
                budget_rule=budget.rule,
                cache=cache,
                scratch=cache / "scratch",
                open_llm=lambda: llm,  # type: ignore[arg-type, return-value]
                open_encoder=lambda: encoder,
            )
            predictions = method(config, runtime).predict(examples)
            found.append(Totals.from_predictions(predictions))
        yield label, found


def write_table(task: str, rows: Sequence[tuple[str, list[Totals]]]) -> Iterator[str]:
    """One task's table: a line per method, two columns per number of tokens."""
    n = rows[0][1][0].n
    yield f"**{task}, {n} queries**"
    yield ""
    heads = (f"{budget.tokens} {budget.rule}" for budget in BUDGETS)
    yield f"| | {' | '.join(heads)} |"
    yield f"|---|{'---:|' * len(BUDGETS)}"
    for label, totals in rows:
        yield f"| {label} | {' | '.join(map(format_field, totals))} |"
    yield ""


def format_field(totals: Totals) -> str:
    """The share read, of how many queries in 100 the end is lost, and the items in a prompt."""
    parts = [format_share(totals.query_read_mean or 0)]
    if totals.queries_cut:
        parts.append(f"({100 * totals.queries_cut / totals.n:.0f})")
    if totals.behaviors_mean:
        parts.append(f"· {totals.behaviors_mean:.1f}")
    return " ".join(parts)


def main() -> None:
    """Measure every method on every task, and write the page's tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("--chat-template", action="store_true")
    parser.add_argument("--encoder", default="minilm", help="by its name in the settings")
    parser.add_argument("--limit", type=int, help="only the first N queries of each task")
    parser.add_argument("--cache", type=Path, help="keeps the encoder's vectors for another run")
    asked = parser.parse_args()
    llm = TokenizerOnly(open_tokenizer(asked.tokenizer, chat_template=asked.chat_template))
    lines: list[str] = []
    with TemporaryDirectory() as folder:
        cache = asked.cache or Path(folder)
        encoder = Encoder.open(load_settings().encoder(asked.encoder), cache=cache)
        for task in TASKS_SHOWN:
            dataset = load_dataset(
                TASKS.get(task)(), asked.data, split="time", set="dev", limit=asked.limit
            )
            rows = list(measure(task, dataset.examples, llm, encoder, cache))
            lines += write_table(task, rows)
    text = "\n".join(lines)
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(BLOCK.sub(lambda found: f"{found[1]}\n{text}\n{found[2]}", page), "utf-8")


if __name__ == "__main__":
    main()
