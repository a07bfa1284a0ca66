"""LongLaMP's files, in every form that they are published in, become data in LaMP's layout."""

import json

import pandas as pd
import pytest

from tasks.common.errors import DataError, StorageError
from tasks.data.loading import load_dataset
from tasks.data.longlamp import convert_longlamp
from tasks.longlamp import LongLaMPAbstract, LongLaMPReview, LongLaMPTopic

PAPERS = [
    {"name": "Ann", "output": f"We do {n}.", "profile": [
        {"id": "a", "title": "Maps", "abstract": "We map.", "year": 2019},
        {"id": "b", "title": "Lost", "abstract": None, "year": 2020},
    ], "input": f'Generate an abstract for the title "T{n}" using the following items: 1. x'}
    for n in range(3)
]  # fmt: skip
REVIEW = {
    "reviewerId": 17, "output": "Good.",
    "input": "Generate the review text written by a reviewer who has a given an overall rating of "
    '"4" for a product with description "A lamp". The summary of the review text is "Bright".',
    "profile": [{"overall": 5.0, "summary": "Fine", "description": ["A mug.", "Red."], "reviewText": "Nice."}],
}  # fmt: skip
POST = {
    "author": "bo", "input": "Generate the content for a reddit post My cat", "output": "She sleeps.",
    "profile": [{"input": "My dog", "output": "He barks."}],
}  # fmt: skip


def write(folder, config, **sets):
    (folder / config).mkdir(parents=True)
    for name, text in sets.items():
        (folder / config / name.replace("_", ".")).write_text(text)


@pytest.fixture
def files(tmp_path):
    """Abstracts as Parquet in two parts, reviews as JSON Lines, posts as JSON."""
    folder = tmp_path / "files"
    config = folder / "abstract_generation_user"
    config.mkdir(parents=True)
    pd.DataFrame(PAPERS[:2]).to_parquet(config / "train-00000-of-00002.parquet")
    pd.DataFrame(PAPERS[2:]).to_parquet(config / "train-00001-of-00002.parquet")
    pd.DataFrame(PAPERS[:1]).to_parquet(config / "val-00000-of-00001.parquet")
    line = json.dumps(REVIEW)
    write(folder, "product_review_temporal", train_jsonl=f"{line}\n{line}\n", val_jsonl=line)
    write(folder, "topic_writing_user", train_json=json.dumps([POST]), val_json=json.dumps([POST]),
          test_json=json.dumps([POST]))  # fmt: skip
    return folder


def test_every_form_is_read(files, tmp_path):
    out = tmp_path / "out"
    converted = convert_longlamp(files, out)
    assert [(c.task, c.split, c.set, c.queries, c.items, dict(c.left_out)) for c in converted] == [
        ("LongLaMP-abstract", "user", "train", 3, 3, {"items without abstract": 3}),
        ("LongLaMP-abstract", "user", "dev", 1, 1, {"items without abstract": 1}),
        ("LongLaMP-review", "time", "train", 2, 2, {}),
        ("LongLaMP-review", "time", "dev", 1, 1, {}),
        ("LongLaMP-topic", "user", "train", 1, 1, {}),
        ("LongLaMP-topic", "user", "dev", 1, 1, {}),
        ("LongLaMP-topic", "user", "test", 1, 1, {}),
    ]
    papers = load_dataset(LongLaMPAbstract(), out, split="user", set="train")
    assert papers.golds == {f"train-{n}": f"We do {n}." for n in range(3)}
    first = papers.examples[0]
    assert (first.user_id, [(b.id, b.content, b.response, b.date) for b in first.history]) == (
        "Ann", [("a", '"Maps"', "We map.", "2019")]
    )  # fmt: skip
    (review,) = load_dataset(LongLaMPReview(), out, split="time", set="dev").examples
    assert (review.user_id, review.history[0].text) == ("17", "5 Fine A mug. Red. Nice.")
    (post,) = load_dataset(LongLaMPTopic(), out, split="user", set="test").examples
    assert (post.query, post.history[0].content, post.history[0].response) == (
        "My cat", "My dog", "He barks."
    )  # fmt: skip
    sources = json.loads((out / "provenance.json").read_text())["sets"][0]["sources"]
    assert list(sources) == ["train-00000-of-00002.parquet", "train-00001-of-00002.parquet"]


def test_a_set_may_be_a_folder_of_its_own(tmp_path):
    """As in the Hub's own conversion to Parquet."""
    config = tmp_path / "files/topic_writing_user"
    for name, rows in (("train", [POST]), ("validation", [POST, POST])):
        (config / name).mkdir(parents=True)
        for part, row in enumerate(rows):
            pd.DataFrame([row]).to_parquet(config / name / f"{part:04}.parquet")
    converted = convert_longlamp(tmp_path / "files", tmp_path / "out")
    assert [(c.set, c.queries, list(c.sources)) for c in converted] == [
        ("train", 1, ["0000.parquet"]),
        ("dev", 2, ["0000.parquet", "0001.parquet"]),
    ]


def test_faults_name_file_and_row(files, tmp_path):
    out = tmp_path / "out"
    train = files / "topic_writing_user/train.json"
    for text, message in (
        (json.dumps([POST, POST | {"output": None}]), "row 2 has no 'output'"),
        (json.dumps([{**POST, "input": "Write a post"}]), "row 1: the input is not a LongLaMP-topic"),
        (json.dumps([{**POST, "profile": None}]), "row 1 has no list of items"),
        (json.dumps([{**POST, "author": []}]), "row 1: field 'author' is list"),
        ("[]", "holds no rows"), ("{}", "is not a list of rows"), ("[3]", "row 1 is no object"),
    ):  # fmt: skip
        train.write_text(text)
        with pytest.raises(DataError, match=f"train.json: {message}.*Hugging Face"):
            convert_longlamp(files, out)
    lines = files / "product_review_temporal/train.jsonl"
    good = lines.read_bytes()
    for bad in (b"{", '{"é": 1}'.encode("latin-1")):
        lines.write_bytes(good + bad)
        with pytest.raises(DataError, match=r"train\.jsonl: line 3 is not JSON"):
            convert_longlamp(files, out)
    lines.write_bytes(good)
    train.unlink()
    with pytest.raises(DataError, match="topic_writing_user: has no train set"):
        convert_longlamp(files, out)
    broken = files / "abstract_generation_user/val-00000-of-00001.parquet"
    broken.write_bytes(b"PAR1")
    with pytest.raises(DataError, match=f"{broken.name}: can't be read as Parquet"):
        convert_longlamp(files, out)
    assert [path.name for path in tmp_path.iterdir()] == ["files"]
    with pytest.raises(DataError, match="none of LongLaMP's configurations"):
        convert_longlamp(tmp_path, out)
    out.mkdir()
    with pytest.raises(StorageError, match="exists already"):
        convert_longlamp(files, out)
