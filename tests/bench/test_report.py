"""The report's page: what it says, and that nothing a user wrote becomes markup."""

import json
import re
from html.parser import HTMLParser

import pytest

from bench.report.build import make_report
from bench.report.page import emphasize
from bench.report.selection import Candidate, select
from bench.results import load_predictions
from bench.store import PREDICTIONS
from tasks.common.errors import StorageError
from tests.bench.report_project import ATTACK, ODD, USERS, make_report_project


class Page(HTMLParser):
    """A page's scripts, links to elsewhere, and the text of each section."""

    def __init__(self, html):
        super().__init__()
        self.scripts, self.links, self.tags, self.text = [], [], [], {}
        self.section, self.inside = "", []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.tags.append(tag)
        self.links += [v for k, v in attributes if k in ("src", "href") and not v.startswith("#")]
        if tag == "section":
            self.section = given["id"]
        if tag == "script":
            self.scripts.append([given.get("type"), ""])
        self.inside.append(tag)

    def handle_endtag(self, tag):
        while self.inside and self.inside.pop() != tag:
            pass

    def handle_data(self, data):
        if self.inside and self.inside[-1] == "script":
            self.scripts[-1][1] += data
        elif self.section:
            self.text[self.section] = self.text.get(self.section, "") + data

    def said(self, section):
        return " ".join(self.text[section].split())

    @property
    def data(self):
        return json.loads(next(text for kind, text in self.scripts if kind == "application/json"))


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = make_report_project(tmp_path_factory.mktemp("report") / "project")
    project.run()
    return project


@pytest.fixture(scope="module")
def html(project):
    return make_report(project.load(), project.plan())


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_the_answer_is_what_the_tests_say(page):
    """Golds are 2, 3, 4, 5 in turn: 1 and missing answers are off by 2.5, and 4 by 1."""
    answer = page.said("answer")
    assert f"right is better than wrong on LaMP-3; so are {ODD} and reads on 1." in answer
    assert f"right and {ODD} are best, or not separable from the best, on LaMP-3." in answer
    assert "Whether any gain is personal is not known" in answer
    assert "Answers are missing, and count as wrong: wrong (1)." in answer
    assert "Answers are unreadable, and count as wrong: reads (1)." in answer


def test_every_part_is_there(page):
    assert list(page.text) == [
        *("answer", "scores", "forest", "pareto", "cold-start", "tables", "examples", "reading"),
    ]
    assert "blind bound" in page.said("scores")
    assert "wrong reference f1 2.500" in page.said("scores")
    assert "reads u1 1.042▲" in page.said("scores")  # unreadable: off by 2, 4 is off by 1


def test_nothing_a_user_wrote_becomes_markup(page, html):
    assert [kind for kind, _ in page.scripts] == ["application/json", None]
    assert "img" not in page.tags
    assert ATTACK in page.data["tasks"][0]["examples"][0]["input"]
    assert ODD in page.said("scores")
    assert "A suite <i>" not in html


def test_the_page_asks_nothing_of_a_network(page, html):
    assert page.links == []
    assert not re.search(r"url\(\s*['\"]?(?!#)|@import|fetch\(|XMLHttp", html)
    assert "default-src 'none'" in html


def test_examples_hold_what_was_asked_read_and_answered(page):
    data = page.data
    (task,) = data["tasks"]
    assert (len(task["examples"]), task["how"]) == (2 * USERS, f"all {2 * USERS} examples")
    names = [row["name"] for row in data["rows"]]
    example = task["examples"][7]  # of user 3, who has three items
    assert (example["id"], example["user"], example["length"]) == ("q7", "user 3 <i>", 3)
    assert example["gold"] == "5"
    by_name = {names[answer["row"]]: answer for answer in example["answers"]}
    assert by_name["wrong"]["score"] == 4
    assert by_name["reads"]["texts"] == [{"text": "4", "seeds": 1, "state": ""}]
    reads = names.index("reads")
    assert [(item["read"], item["weights"]) for item in example["history"]] == [
        ([[reads, 2]], [[reads, 0.25]]),
        ([[reads, 1]], [[reads, 0.75]]),
    ]
    failed = [example["id"] for example in task["examples"] if example["failed"]]
    assert failed == ["q1", "q3"]


def test_texts_can_be_left_out(project):
    html = make_report(project.load(), project.plan(), examples=0)
    assert "Review q" not in html
    assert "wrote item" not in html
    assert "without texts" in html


def test_a_suite_without_results_has_a_page_that_says_so(project):
    grid = project.plan("suites.s.evaluate_limit=3")
    page = Page(make_report(project.load("suites.s.evaluate_limit=3"), grid))
    assert "No cell of this suite has scores yet." in page.said("answer")
    assert "5 of 5 cells are not done" in page.said("answer")


def test_damaged_weights_are_found(project):
    cell = project.cells()["reads"]
    path = cell.folder / "weights.jsonl"
    lines = path.read_text(encoding="utf-8")
    path.write_text(lines.replace("0.75", "high"), encoding="utf-8")
    try:
        with pytest.raises(StorageError, match="damaged"):
            make_report(project.load(), project.plan())
    finally:
        path.write_text(lines, encoding="utf-8")


def test_methods_that_weigh_nothing_store_no_weights(project):
    stored = {path.parent.parent.name for path in project.runs.rglob("weights.jsonl")}
    assert stored == {"reads"}
    assert len(load_predictions(project.runs)) == 5 * 2 * USERS


def candidates(failed=(), spreads=(), n=30):
    return [Candidate(i, i in failed, 1.0 if i in spreads else 0.0) for i in range(n)]


def test_few_examples_are_all_chosen():
    assert select(candidates(n=5), 5, "t").how == "all 5 examples"


def test_of_many_examples_failures_and_disagreements_come_first():
    chosen = select(candidates(failed=[1, 2, 3, 4], spreads=[3, 20, 21, 22, 23]), 9, "t")
    assert {1, 2, 3, 20, 21, 22} <= set(chosen.places)
    assert len(chosen.places) == 9
    assert chosen.how == (
        "9 of 30 examples: 3 with a missing or unreadable answer, 3 on which the methods differ "
        "most, 3 drawn at random"
    )
    assert select(candidates(failed=[1, 2, 3, 4], spreads=[3, 20, 21, 22, 23]), 9, "t") == chosen


def test_the_longest_name_is_emphasized_and_the_rest_escaped():
    names = ["pplug", "pplug-dense", "<b>"]
    assert emphasize("pplug-dense beats pplug & <b>.", names) == (
        "<b>pplug-dense</b> beats <b>pplug</b> &amp; <b>&lt;b&gt;</b>."
    )


def test_the_command_writes_the_page(project, monkeypatch, capsys):
    from bench import cli

    monkeypatch.chdir(project.root)
    monkeypatch.setattr("sys.argv", ["bench", "report", "--out", "r.html", "--examples", "3"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert (end.value.code, capsys.readouterr().out) == (0, "written: r.html\n")
    assert "3 of 24 examples" in (project.root / "r.html").read_text(encoding="utf-8")


def test_a_damaged_file_is_named(project):
    path = project.cells()["right"].folder / PREDICTIONS
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    try:
        with pytest.raises(StorageError, match="predictions"):
            make_report(project.load(), project.plan())
    finally:
        path.write_bytes(whole)
