"""Tasks that bench.toml declares by a table: run, shown, checked, previewed, exported."""

import json

import pytest

from bench import load_results

PLANTS = """
[tasks.plants]
kind = "classification"
file = "plants.csv"
input = "plant"
output = "bed"
time = "day"

[suites.p]
tasks = ["plants"]
methods = ["majority-label", "zero-shot"]
llms = ["t5"]
"""


@pytest.fixture
def declared(project):
    """Three gardeners with five plants each; the last ones repeat a plant of the history."""
    lines = [
        f"g{g},2024-0{m}-0{1 + g},herb {g}{m % 3},{'sun' if g % 2 else 'shade'}"
        for g in range(3)
        for m in range(1, 6)
    ]
    (project.root / "plants.csv").write_text("\n".join(["user,day,plant,bed", *lines]) + "\n")
    project.add(PLANTS)
    return project


def test_a_declared_task_runs_and_says_what_misleads(declared, bench, tmp_path):
    done = bench("run", "p")
    assert done.code == 0, done.err
    warning = (
        "target-in-profile [dev]: the profile contains the text that the query asks about (3 of 3"
    )
    assert done.err.count(warning) == 1
    assert done.out.count(warning) == 1
    assert "no answer on plants is a label: zero-shot; likely cause" in done.out
    assert "majority-label" in done.out
    assert "1.000" in done.out
    assert bench("show", "plants", "--suite", "p").out.startswith("plants dev ")
    assert bench("export", str(tmp_path / "kept"), "p").code == 0
    data = json.loads((tmp_path / "kept" / "provenance.json").read_text())["data"]
    assert data["tasks.plants"]["file"] == "plants.csv"
    assert set(data["tasks.plants"]["fingerprints"]["plants"]) == {"train", "dev"}


def test_similar_labels_are_reported_once(declared, bench):
    table = declared.root / "plants.csv"
    table.write_text(table.read_text().replace("1,shade", "1,Shade").replace("0,shade", "0,Shade"))
    assert bench("run", "p", "-m", "majority-label").err.count("similar-labels") == 1
    assert bench("data", "verify", "plants").out.count("similar-labels") == 1


def test_verify_list_and_check_know_declared_tasks(declared, bench):
    done = bench("data", "verify")
    assert done.code == 0, done.out
    assert done.out.startswith("plants (time split)\n  train 6 queries, 3 users")
    assert "plants" in bench("list", "tasks").out
    assert "plants is not one of LaMP's tasks" in bench("data", "download", "plants").err
    done = bench("check", "majority-label", "-t", "plants")
    assert (done.code, "pass  plants" in done.out) == (0, True), done.out + done.err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("plants.csv", "plans.csv"), "there is no such file"),
        (('"plant"\n', '"plan"\n'), "has no column 'plan'; it has 'user', 'day', 'plant', 'bed'"),
        (('"classification"', '"class"'), "tasks.plants.kind"),
        (("[tasks.plants]", "[tasks.plants]\nusr = 1"), "Did you mean 'user'"),
        (("[tasks.plants]", "[tasks.LaMP-3]"), "is the name of a registered task"),
        (("[tasks.plants]", "[tasks.plans]"), "unknown task 'plants'. Did you mean 'plans'"),
        (('time = "day"', 'time = "day"\nitem = "{output}"'), "`item` shows no {input}"),
        (('time = "day"', 'time = "day"\ndates = "x"'), "is no format of dates"),
        (('time = "day"', 'time = "day"\nuser = "bed"'), "name the same column 'bed'"),
        (('["plants"]', '["plants", "LaMP-3"]'), "the suite names no data for task 'LaMP-3'"),
    ],
)
def test_a_mistake_in_a_declaration_is_named(declared, bench, change, message):
    text = declared.config.read_text()
    assert change[0] in text
    declared.config.write_text(text.replace(*change))
    done = bench("plan", "p")
    assert done.code == 2, done.out
    assert message in done.err
    assert "download" not in done.err


def test_preview_prints_a_declaration_that_works(project, bench):
    rows = ["uid;created;message;tag;lang"]
    rows += [
        f"u{u};2024-0{m}-0{1 + u};Text {u}{m} is a fairly long one;{'AB'[m % 2]};en"
        for u in range(4)
        for m in range(1, 7)
    ]
    (project.root / "posts.csv").write_bytes("\n".join([*rows, "u1;;é;A;en"]).encode("cp1252"))
    done = bench("data", "preview", "posts.csv", "--user", "uid", "--rows", "1")
    assert done.code == 0, done.err
    assert 'row 2: u0 · 2024-01-01 · "Text 01 is a fairly long one" → "B"' in done.out
    assert "error: missing-time: 1 of 25 rows can't be used: row 26 has no time" in done.out
    declaration = done.out.partition("# to declare this task, add to bench.toml\n")[2]
    for line in ('encoding = "cp1252"', 'input = "message"', 'output = "tag"', 'time = "created"'):
        assert line in declaration
    project.add(declaration)
    assert bench("data", "verify", "posts").code == 0
    assert bench("plan", "posts").code == 0
    assert "declare" not in bench("data", "preview", "posts").out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nope.csv"], "'nope.csv' is neither a file nor a task"),
        (["plant"], "Did you mean 'plants'"),
        (["plants.csv", "--user", "who"], "has no column 'who'"),
        (["plants.csv", "--dates", "x"], "is no format of dates"),
        (["plants.csv", "--user", "bed", "--output", "bed"], "name the same column"),
    ],
)
def test_preview_names_a_mistake(declared, bench, arguments, message):
    done = bench("data", "preview", *arguments)
    assert (done.code, message in done.err) == (2, True), done.err
    assert done.out == ""


SCRIPTS = {
    "cyrillic": ("лампа чайник стул часы", "светит шумит скрипит спешит", "снова {}"),
    "chinese": ("台灯 水壶 椅子 钟表", "光线柔和 声音太大 坐着舒服 走得很准", "再看{}"),
    "emoji": ("💡 🫖 🪑 🕰️", "😀👍🏽 😡🇩🇪 👨‍👩‍👧🎉 ❤️⏳", "🔁{}"),
}
"""Script → things, what users say of them, and how a later query names a thing again."""


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_right_answer_scores_1_in_any_script(project, bench, script):
    things, verdicts, again = SCRIPTS[script]
    said = [
        [(thing, answers[(n + user) % 4]) for n, thing in enumerate(things.split())]
        for user, answers in enumerate([verdicts.split()] * 3)
    ]
    lines = [
        f"u{user},2024-0{month}-01,{thing},{verdict}"
        for user, pairs in enumerate(said)
        for month, (thing, verdict) in enumerate(
            [*pairs, *((again.format(thing), verdict) for thing, verdict in pairs[:2])], 1
        )
    ]
    table = "\n".join(["user,day,thing,verdict", *lines])
    (project.root / "things.csv").write_text(table, encoding="utf-8")
    project.add(
        """
[tasks.things]
kind = "generation"
file = "things.csv"
input = "thing"
output = "verdict"
time = "day"

[suites.p]
tasks = ["things"]
methods = ["copy-nearest-response", "copy-input"]
"""
    )
    done = bench("run", "p")
    assert done.code == 0, done.err
    found = load_results(project.runs, "p")
    scores = found.set_index(["method", "metric"])["value"]
    for metric, best in (("rouge1", 1), ("rougeL", 1), ("chrf", 100)):
        assert scores["copy-nearest-response", metric] == pytest.approx(best)
        assert scores["copy-input", metric] < best / 2
    assert "1.000" in done.out
