"""`bench texts` on answers whose words are counted by hand (see conftest)."""

import pytest

from bench.texts import build_texts, make_sheets, to_frame
from tasks.common.errors import ConfigError


def build(project, *overrides):
    return build_texts(project.load(*overrides, suite="x"), project.plan(*overrides, suite="x"))


def test_values_by_hand(finished):
    frame = to_frame(build(finished)).set_index(["method", "measure"])
    found = frame["value"].unstack().round(4)
    assert list(found.index) == ["copies", "generic", "gold"]
    # `copies` writes 5 words for 11 of 12 users, golds have 4: 55/12 words and 55/48.
    assert found["words"].tolist() == pytest.approx([4.5833, 5, 4])
    assert found["length ratio"].tolist() == pytest.approx([1.1458, 1.25, 1])
    # All 5 words stand in runs of 4 of the history. A gold's 4 words have no run: 3 and a new one.
    assert found["self-copying"].tolist() == [1, 0, 0]
    assert found["copying from another user's history"].tolist() == [0, 0, 0]
    copies = frame.loc["copies", "self-copying"]
    assert (copies.difference, copies.against) == (1, "another user's history")
    assert (copies.n, copies.users, copies.n_failed, copies.seeds) == (12, 12, 1, 1)
    length = frame.loc["copies", "length ratio"]
    assert length.low < 55 / 48 < length.high
    assert frame["against"].loc["copies", "words"] == ""


def test_the_command_shows_them_in_every_format(finished, bench, tmp_path):
    done = bench("texts", "x")
    assert done.code == 0, done.err
    lines = {line.split()[0]: line for line in done.out.splitlines() if line.strip()}
    assert "LaMP-7: generated texts, n=12 u=12" in done.out
    assert lines["copies"].split()[1:3] == ["4.6", "f1"]
    assert "1.000" in lines["copies"]
    assert "+1.000" in lines["copies"]
    for format, start in (("csv", "task,method"), ("markdown", "|"), ("latex", "\\")):
        out = tmp_path / f"texts.{format}"
        assert bench("texts", "x", "-f", format, "--out", str(out)).code == 0
        assert start in out.read_text(encoding="utf-8")
    (sheet,) = make_sheets(build(finished))
    assert sheet.columns[2:4] == (("self-copying", "value"), ("self-copying", "− another user's history"))  # fmt: skip


def test_what_cannot_be_analysed_is_said(project):
    with pytest.raises(ConfigError, match=r"no scored cell of a task with free text.*bench run x"):
        build(project)
    with pytest.raises(ConfigError, match="no task of suite 'x' asks for free text"):
        build(project, 'tasks=["LaMP-3"]')


def test_a_single_user_has_no_other_history(project):
    project.run("evaluate_limit=1", suite="x")
    table = build(project, "evaluate_limit=1")
    assert {score.measure for score in table.scores} == {"words", "length ratio", "self-copying"}
    copying = [s.interval for s in table.scores if s.measure == "self-copying"]
    assert copying[2].withheld == "1 user, of 10 needed"
