"""Loading at LaMP-3's size: a generated train file of 20,000 queries × 185 items, over 2.5 GB.

    python -m tests.perf.lamp3_size FOLDER [QUERIES]

writes the files to FOLDER (about 2.6 GB, and as much again for the tables; both may be deleted
afterwards; in proportion less for fewer queries), then loads them in processes of their own and prints seconds and memory:

- `json.load` of the questions, which only parses;
- the first time: digest, parsing, checks, and writing the tables;
- afterwards, and with only the first 1,000 queries;
- two processes at once, which also read every history.
"""

import json
import random
import resource
import subprocess
import sys
import time
from pathlib import Path

QUERIES, ITEMS = 20_000, 185
"""Of about 105 words each: 2.7 GB in all."""


def generate(folder: Path, queries: int = QUERIES) -> None:
    """Write LaMP-3 files; two queries of a user share nine tenths of their items."""
    draw = random.Random(0)
    vocabulary = ["".join(draw.choices("aeiourstnlmd", k=draw.randint(2, 9))) for _ in range(9000)]
    sentences = [" ".join(draw.choices(vocabulary, k=draw.randint(5, 25))) for _ in range(20_000)]
    place = folder / "user" / "LaMP_3" / "train"
    place.mkdir(parents=True, exist_ok=True)

    def write_item(id: str) -> dict[str, str]:
        text = ". ".join(draw.choices(sentences, k=draw.randint(3, 11)))
        return {"id": id, "text": f"{id} {text}", "score": str(draw.randint(1, 5))}

    instruction = (
        "What is the score of the following review on a scale of 1 to 5? just answer with 1, 2, "
        "3, 4, or 5 without further explanation. review: "
    )
    golds = []
    with (place / "train_questions.json").open("w", encoding="utf-8") as file:
        file.write("[")
        shared: list[dict[str, str]] = []
        for number in range(queries):
            kept = shared[: ITEMS * 9 // 10] if number % 2 else []
            shared = kept + [write_item(f"{number}-{i}") for i in range(ITEMS - len(kept))]
            row = {
                "id": str(number),
                "user_id": str(number // 2),
                "input": instruction + write_item("")["text"],
                "profile": shared,
            }
            file.write((", " if number else "") + json.dumps(row))
            golds.append({"id": str(number), "output": str(draw.randint(1, 5))})
        file.write("]")
    outputs = {"task": "LaMP_3", "golds": golds}
    (place / "train_outputs.json").write_text(json.dumps(outputs), encoding="utf-8")


def load(folder: Path, how: str) -> None:
    """Load in this process and print what it took."""
    from tasks.data.loading import read_set
    from tasks.lamp import LaMP3

    start, cpu = time.perf_counter(), time.process_time()
    if how == "json":
        path = folder / "user" / "LaMP_3" / "train" / "train_questions.json"
        with path.open(encoding="utf-8") as file:
            value = json.load(file)
        number = len(value)
    else:
        limit = 1000 if how == "limit" else None
        value = read_set(
            LaMP3(), folder, split="user", set="train", limit=limit, cache=folder / "cache"
        )
        number = len(value.dataset)
    took = f"{time.perf_counter() - start:.1f} s, {time.process_time() - cpu:.1f} CPU s"
    print(f"{how}: {number} queries, {took}, {describe_memory()}", flush=True)
    if how == "all":
        items = sum(len(item.text) for one in value.dataset.examples for item in one.history)
        took = f"{time.perf_counter() - start:.1f} s"
        print(f"{how}, every history read: {items:,} characters, {took}, {describe_memory()}")


def describe_memory() -> str:
    """Resident memory: its peak, and what belongs to this process alone."""
    status = Path("/proc/self/status").read_text(encoding="utf-8").split("\n")
    own = next((int(line.split()[1]) for line in status if line.startswith("RssAnon")), 0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return f"peak {peak / 2**20:.2f} GiB, its own now {own / 2**20:.2f} GiB"


def main(folder: Path, queries: int) -> None:
    """Generate, then measure one process after the other; the last two run at once."""
    generate(folder, queries)
    questions = folder / "user" / "LaMP_3" / "train" / "train_questions.json"
    print(f"questions: {questions.stat().st_size / 1e9:.2f} GB", flush=True)
    for group in (["json"], ["first"], ["again"], ["limit"], ["all", "all"]):
        command = [sys.executable, "-m", "tests.perf.lamp3_size", str(folder)]
        running = [subprocess.Popen([*command, how]) for how in group]
        for process in running:
            if process.wait() != 0:
                sys.exit(process.returncode)


if __name__ == "__main__":
    if len(sys.argv) > 2 and not sys.argv[2].isdigit():
        load(Path(sys.argv[1]), sys.argv[2])
    else:
        main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else QUERIES)
