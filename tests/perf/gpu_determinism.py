"""Whether a device gives the same answers twice, and at another batch size.

    python -m tests.perf.gpu_determinism                                   # the embedded LLM
    python -m tests.perf.gpu_determinism --llm /models/smollm2 --chat-template

Prints one line of JSON per comparison: of how many texts differ, in each dtype, for zero-shot, and for
PPlug trained twice with the same seed. The queries are train queries of a generated LaMP-mini world.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from methods.core.method import Method
from methods.core.runtime import Runtime
from methods.models.config import EncoderConfig
from methods.models.encoder import Encoder
from methods.models.language_model import LanguageModel
from methods.models.opening import load_llm
from methods.pplug import PPlug
from methods.zero_shot import ZeroShot
from tasks import TASKS, Dataset, Example
from tasks.common.seeds import Seeds
from tasks.data.loading import load_dataset
from tasks.mini.world import WorldConfig, write_world
from tests.perf.gpu_models import DEVICE, report

WEIGHTS = "package:methods/embedded/weights"
TASK = "LaMP-5"
BATCHES = (64, 8)


class Comparison:
    """One LLM in one dtype."""

    def __init__(self, given: argparse.Namespace, dtype: str, folder: Path) -> None:
        self.given, self.dtype, self.folder = given, dtype, folder
        self.task = TASKS.get(TASK)()
        self.encoder = Encoder.open(EncoderConfig(model=f"{WEIGHTS}/encoder"), cache=folder)
        self.runs = 0

    def llm(self, batch_size: int) -> LanguageModel:
        return load_llm(
            self.given.llm, cache=self.folder, dtype=self.dtype, batch_size=batch_size,
            device=str(DEVICE), chat_template=self.given.chat_template, decoding={"num_beams": 1},
        )  # fmt: skip

    def runtime(self, llm: LanguageModel) -> Runtime:
        """A runtime that shares nothing with the last one, so that nothing is reused."""
        self.runs += 1
        place = self.folder / f"{self.dtype}-{self.runs}"
        return Runtime(
            self.task, Seeds.root(TASK, 0), 512, place, place / "scratch", lambda: llm,
            lambda: self.encoder,
        )  # fmt: skip

    def compare_zero_shot(self, examples: Sequence[Example]) -> None:
        large, small = (self.llm(size) for size in BATCHES)
        first, second, third = (
            _texts(ZeroShot(ZeroShot.Config(), self.runtime(llm)), examples)
            for llm in (large, large, small)
        )
        self.report("zero-shot, twice", len(examples), _differ(first, second))
        self.report(f"zero-shot, batches of {BATCHES}", len(examples), _differ(first, third))

    def compare_training(self, train: Dataset, examples: Sequence[Example]) -> None:
        llm = self.llm(BATCHES[0])
        training = {"batch_size": 16, "epochs": 1, "learning_rate": 1e-3}
        pair = [PPlug(PPlug.Config(training=training), self.runtime(llm)) for _ in range(2)]
        for method in pair:
            method.fit(train, None)
        weights = [list(method.plug.parameters()) for method in pair]
        gap = max((a - b).abs().max().item() for a, b in zip(*weights, strict=True))
        texts = [_texts(method, examples) for method in pair]
        self.report("PPlug, trained twice", len(examples), _differ(*texts), largest_weight_gap=gap)

    def report(self, what: str, texts: int, differ: int, **more: object) -> None:
        about = {"llm": self.given.llm, "dtype": self.dtype, "compared": what}
        report(**about, texts=texts, differ=differ, **more)


def _texts(method: Method, examples: Sequence[Example]) -> list[str | None]:
    return [prediction.text for prediction in method.predict(examples)]


def _differ(first: Sequence[str | None], second: Sequence[str | None]) -> int:
    return sum(a != b for a, b in zip(first, second, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--llm", default=f"{WEIGHTS}/llm", help="a folder, or a package's weights")
    parser.add_argument("--chat-template", action="store_true")
    parser.add_argument("--dtypes", nargs="+", default=["bfloat16", "float32"])
    parser.add_argument("--texts", type=int, default=128)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_world(folder / "data", WorldConfig(users=given.texts, cold_share=0), tasks=[TASK])
        train = load_dataset(
            TASKS.get(TASK)(), folder / "data", split="user", set="train", limit=given.texts
        )
        for dtype in given.dtypes:
            comparison = Comparison(given, dtype, folder)
            comparison.compare_zero_shot(train.examples)
            comparison.compare_training(train, train.examples)


if __name__ == "__main__":
    main()
