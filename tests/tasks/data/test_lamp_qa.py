"""LaMP-QA's files become data in LaMP's layout; narrative and rubric go to the golds."""

import json

import pytest

from tasks.common.errors import DataError
from tasks.common.rubric import Rubric
from tasks.data.audit import audit
from tasks.data.lamp_qa import convert_lamp_qa
from tasks.data.loading import load_dataset
from tasks.lamp_qa import LaMPQAArt, LaMPQASociety

ASPECTS = [
    {"aspect": "Bach", "reason": "Taste.", "evidence": "love\nBACH"},
    {"aspect": "Price", "reason": None, "evidence": "not said"},
]
ROW = {
    "id": "7_1", "question": " Which record? ", "narrative": "Which record? I love Bach.",
    "rubric_aspects": ASPECTS, "category": "music",
    "profile": [{"id": 5, "text": "Is jazz fun?"}, {"id": None, "text": "On films"}, {"text": " "},
                {"id": 6, "text": "Help! Which  record? I love Bach."}],
}  # fmt: skip


def other(n, **more):
    texts = {"id": f"o{n}", "question": f"What is {n}?", "narrative": f"What is {n}? I am new."}
    aspects = [{"aspect": "Basics", "reason": "", "evidence": "I am new"}]
    return texts | {"rubric_aspects": aspects, "profile": [{"id": 1, "text": "Hello."}], **more}


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "files"
    for config, rows in (
        ("Art_and_Entertainment", {"train": [other(1)], "validation": [ROW], "test": [other(2)]}),
        ("Society_and_Culture", {"train": [other(3)], "validation": [other(4)]}),
    ):
        (folder / config).mkdir(parents=True)
        for name, found in rows.items():
            (folder / config / f"{name}.json").write_text(json.dumps(found))
    return folder


def test_files_become_data_that_the_audit_accepts(files, tmp_path):
    out = tmp_path / "out"
    converted = convert_lamp_qa(files, out)
    assert [(c.task, c.set, c.queries, c.items, c.aspects, dict(c.noticed)) for c in converted] == [
        ("LaMP-QA-art", "train", 1, 1, 1, {}),
        ("LaMP-QA-art", "dev", 1, 2, 2, {
            "questions with evidence that is not in the narrative word for word": 1,
            "posts without text left out": 1,
            "posts that hold the question's own narrative left out": 1,
        }),
        ("LaMP-QA-art", "test", 1, 1, 1, {}),
        ("LaMP-QA-society", "train", 1, 1, 1, {}), ("LaMP-QA-society", "dev", 1, 1, 1, {}),
    ]  # fmt: skip
    dataset = load_dataset(LaMPQAArt(), out, split="user", set="dev")
    (example,) = dataset.examples
    assert (example.id, example.user_id, example.query) == ("7_1", "7_1", "Which record?")
    assert [(b.id, b.text) for b in example.history] == [("5", "Is jazz fun?"), ("1", "On films")]
    rubric = Rubric.parse(dataset.golds["7_1"])
    assert rubric.narrative == "Which record? I love Bach."
    assert [(a.aspect, a.reason) for a in rubric.aspects] == [("Bach", "Taste."), ("Price", "")]
    for task in (LaMPQAArt(), LaMPQASociety()):
        assert audit(task, out, "user").ok
    assert list(json.loads((out / "provenance.json").read_text())["sets"][0]["sources"]) == [
        "train.json"
    ]


def test_a_profile_that_gives_the_narrative_away_is_found(files, tmp_path):
    convert_lamp_qa(files, tmp_path / "out")
    path = tmp_path / "out/user/Art_and_Entertainment/dev/dev_questions.json"
    rows = json.loads(path.read_text())
    rows[0]["profile"][0]["text"] = f"Hi everyone. {ROW['narrative']} Thanks in advance!"
    path.write_text(json.dumps(rows))
    found = {
        finding.kind: finding for finding in audit(LaMPQAArt(), tmp_path / "out", "user").findings
    }
    assert (found["gold-in-profile-text"].severity, found["gold-in-profile-text"].ids) == (
        "warning", ("7_1",)
    )  # fmt: skip


def test_an_outputs_file_without_rubrics_is_refused(files, tmp_path):
    convert_lamp_qa(files, tmp_path / "out")
    path = tmp_path / "out/user/Art_and_Entertainment/dev/dev_outputs.json"
    golds = [{"id": "7_1", "output": "Buy it."}]
    path.write_text(json.dumps({"task": "Art_and_Entertainment", "golds": golds}))
    with pytest.raises(DataError, match=r"dev_outputs\.json.*7_1.*rubric is not JSON"):
        load_dataset(LaMPQAArt(), tmp_path / "out", split="user", set="dev")


def test_faults_name_file_and_row(files, tmp_path):
    out, path = tmp_path / "out", files / "Society_and_Culture/validation.json"
    for row, message in (
        (other(5, question=None), "row 2 has no 'question'"),
        (other(5, question=" "), "row 2: the question is empty"),
        (other(5, narrative=None), "row 2: the field 'narrative' is missing"),
        (other(5, rubric_aspects=[]), "row 2: the field 'rubric_aspects' is not a list"),
        (other(5, profile=None), "row 2: `profile` is no list"),
        (other(5, profile=[{"id": 1}]), "row 2 has no 'text'"), (3, "row 2 is no object"),
    ):  # fmt: skip
        path.write_text(json.dumps([other(4), row]))
        with pytest.raises(DataError, match=f"validation.json: {message}.*Hugging Face"):
            convert_lamp_qa(files, out)
    path.unlink()
    with pytest.raises(DataError, match="Society_and_Culture: has no val set"):
        convert_lamp_qa(files, out)
    with pytest.raises(DataError, match="none of LaMP-QA's configurations"):
        convert_lamp_qa(tmp_path, out)
