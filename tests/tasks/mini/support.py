"""Helpers shared by the tests of LaMP-mini."""

import hashlib
import json

from tasks.data.loading import load_dataset
from tasks.mini.grammars import GRAMMARS
from tasks.mini.lexicon import TOPICS, nouns

BY_NAME = {grammar.task.name: grammar for grammar in GRAMMARS}
NAMES = sorted(BY_NAME)
TOPIC_OF = {noun: topic for topic in TOPICS for noun in nouns(topic)}


def digests(root):
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*.json"))
    }


def load(root, name, set="dev", split="time"):
    return load_dataset(BY_NAME[name].task, root, split=split, set=set)


def load_bounds(root, name, set="dev", split="time"):
    folder = root / split / BY_NAME[name].task.folder / set
    return json.loads((folder / f"{set}_limits.json").read_text(encoding="utf-8"))


def topic_of(text):
    """The one topic whose nouns occur in a text."""
    words = text.lower().replace(":", " ").replace(",", " ").replace("?", " ").split()
    (topic,) = {TOPIC_OF[word] for word in words if word in TOPIC_OF}
    return topic
