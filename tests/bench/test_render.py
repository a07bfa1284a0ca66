"""One table in four formats: structure, marks and escapes."""

import io
import re

import pandas as pd
import pytest
from rich.console import Console

from bench import render, store, tables
from tests.bench.support import GOLDS

AWKWARD = "50%_of|a&b#1$~^\\{x}"
TEX_ESCAPES = re.compile(r"\\[%_&#$~^{}\\]|\\text\w+(\{\})?|\\[A-Za-z]+")


@pytest.fixture
def table(project):
    """wrong (the reference), right (best, another beyond doubt), a broken row, an awkward name."""
    project.says("wrong", dict.fromkeys(GOLDS, "3"))
    project.says("right", dict(GOLDS))
    project.add(f"[methods.'{AWKWARD}']\nmethod = 'tests.bench.probes:Says'\nfailed = ['d1']\n")
    project.probe("broken", "Fails", file=project.root / "no")
    project.suite("wrong", "right", AWKWARD, "broken", more='reference = "wrong"')
    project.run()
    return tables.build(project.load(), project.plan())


def scores_of(text):
    """What stands before the sheet of costs."""
    return text[: text.index("cost, means")]


def row(text, name):
    text = scores_of(text)
    (line,) = [line for line in text.splitlines() if name in line and ("|" in line or "&" in line
               or "│" in line)]  # fmt: skip
    return line


def test_the_terminal_table(table):
    text = render.plain(table)
    assert "mae ↓" in text
    assert "n=4" in text
    assert "0.000*" in row(text, "│ right")
    assert "1.500" in row(text, "│ wrong")
    assert "*" not in row(text, "│ wrong")
    assert "f1" in row(text, AWKWARD)
    assert "failed" in row(text, "│ broken")
    for note in table.notes:
        assert note.split(";")[0] in text


def test_the_best_are_bold_in_a_terminal(table):
    console = Console(file=io.StringIO(), force_terminal=True, color_system="standard", width=200)
    render.to_console(table, console)
    text = console.file.getvalue()
    assert re.search(r"\x1b\[1m *0\.000\*\x1b\[0m", text)
    assert not re.search(r"\x1b\[1m *1\.500", text)


def test_intervals_are_printed_when_asked_for(table):
    for draw in (render.plain, render.markdown, render.latex):
        assert "[1.500, 1.500]" not in draw(table)
        assert "[1.500, 1.500]" in draw(table, intervals=True)


def test_the_markdown_table(table):
    text = render.markdown(table)
    lines = [line for line in scores_of(text).splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 4
    assert lines[0] == "| method | LaMP-3 mae ↓ n=4 | LaMP-3 rmse ↓ n=4 |"
    assert lines[1] == "| --- | ---: | ---: |"
    assert "| right | **0.000*** | **0.000*** |" in lines
    assert "| broken | failed | failed |" in lines
    columns = {len(re.split(r"(?<!\\)\|", line)) for line in lines}
    assert columns == {5}  # the | of the awkward name doesn't split a cell
    assert all(f"- {note}" in text.splitlines() for note in table.notes)


def test_the_latex_table(table):
    text = render.latex(table)
    lines = scores_of(text).splitlines()
    for mark in ("\\toprule", "\\midrule", "\\bottomrule", "\\end{tabular}"):
        assert lines.count(mark) == 1
    assert "\\begin{tabular}{lrr}" in lines
    assert " & \\multicolumn{2}{c}{LaMP-3} \\\\" in lines
    assert "\\cmidrule(lr){2-3}" in lines
    assert "right & \\textbf{0.000*} & \\textbf{0.000*} \\\\" in lines
    body = lines[lines.index("\\midrule") + 1 : lines.index("\\bottomrule")]
    assert len(body) == 4
    assert all(len(re.split(r"(?<!\\)&", line)) == 3 for line in body)


def test_latex_escapes_what_tex_would_read(table):
    text = scores_of(render.latex(table))
    (line,) = [line for line in text.splitlines() if line.startswith("50")]
    bare = TEX_ESCAPES.sub("", line.removesuffix(" \\\\").replace(" & ", " "))
    assert not set(bare) & set("%_&#$~^\\"), bare


def test_latex_holds_nothing_that_pdflatex_cannot_read(table):
    body = [line for line in render.latex(table).splitlines() if not line.startswith("%")]
    assert [line for line in body if not line.isascii()] == []


def test_what_rows_cost_is_the_mean_of_their_records(project):
    project.suite("zero-shot", "pplug", "pplug@own-random")
    project.add("[methods.pplug]\ntraining = { max_steps = 1, batch_size = 4 }\n")
    project.run("seeds=[0, 1]")
    table = tables.build(project.load("seeds=[0, 1]"), project.plan("seeds=[0, 1]"))
    zero_shot, pplug, control = (row.price for row in table.rows)
    assert control is None
    assert zero_shot.trainable_shared == zero_shot.bytes_per_user == 0
    cells = [c for c in project.plan("seeds=[0, 1]").cells if c.variant == "pplug"]
    records = [store.read_record(cell.folder) for cell in cells]
    assert len(records) == 2
    assert pplug.trainable_shared == records[0].cost.trainable_shared > 0
    assert pplug.query_ms == pytest.approx(
        sum(1000 * r.seconds.predict / r.totals.n for r in records) / 2
    )
    text = render.markdown(table)
    lines = text[text.index("cost, means") :].splitlines()
    assert lines[2].split(" | ")[1:3] == ["shared parameters", "shared fit s"]
    assert lines[4].startswith("| zero-shot | 0 | ")
    assert lines[5].startswith(f"| pplug | {pplug.trainable_shared:,.0f} | ")
    assert pplug.fit_seconds == pytest.approx(sum(r.fit.seconds for r in records) / 2)
    console = Console(file=io.StringIO(), width=80)
    render.to_console(table, console)
    assert f"{pplug.trainable_shared:,.0f}" in console.file.getvalue()


def test_csv_comes_back_as_the_frame(table):
    found = pd.read_csv(io.StringIO(render.long_csv(table)))
    expected = tables.frame(table)
    assert list(found.columns) == list(expected.columns)
    assert found.method.tolist() == expected.method.tolist()
    assert AWKWARD in set(found.method)
    for name in ("value", "low", "high", "difference", "n", "n_failed"):
        assert found[name].astype(float).tolist() == pytest.approx(
            expected[name].astype(float).tolist(), abs=1e-6, nan_ok=True
        )


def test_models_are_named_in_rows_only_where_there_are_several(project):
    project.suite("zero-shot", "mean-score")
    model = project.load().llms["t5"].model
    decoding = "decoding = { num_beams = 1, max_new_tokens = 2 }"
    project.add(f'[llms.greedy]\nmodel = "{model}"\ndevice = "cpu"\n{decoding}\n')
    project.run('llms=["t5", "greedy"]')
    one, two = (
        render.markdown(tables.build(project.load(*o), project.plan(*o)))
        for o in ((), ('llms=["t5", "greedy"]',))
    )
    assert "| method | LLM |" not in one
    assert [line.split("|")[1:3] for line in two.splitlines() if line.startswith("|")][2:5] == [
        [" zero-shot ", " t5 "],
        [" mean-score ", " – "],
        [" zero-shot ", " greedy "],
    ]


def test_a_table_of_nothing_is_drawn(project):
    project.suite("zero-shot")
    empty = tables.build(project.load(), project.plan())
    for draw in (render.plain, render.markdown, render.latex):
        assert "zero-shot" in draw(empty)


def test_csv_of_nothing_has_its_header(project):
    project.suite("zero-shot")
    empty = tables.build(project.load(), project.plan())
    assert pd.read_csv(io.StringIO(render.long_csv(empty))).empty


def test_the_sheet_of_differences(project):
    project.says("wrong", dict.fromkeys(GOLDS, "3"))
    project.probe("learns", "Learns", file=project.root / "fits")
    more = 'reference = "wrong"\ncontrols = true\n'
    project.suite("wrong", "learns", more=more)
    project.run()

    def headers(*overrides):
        table = tables.build(project.load(*overrides), project.plan(*overrides))
        sheet = render.sheets(table)[1]
        ((_, cells),) = sheet.rows
        assert len(cells) == len(sheet.columns)
        return [metric for _, metric in sheet.columns]

    assert headers() == ["− wrong mae", "Δuser mae"]
    project.run("seeds=[0, 1]")
    assert headers("seeds=[0, 1]") == ["− wrong mae", "Δuser mae", "seed sd of mae"]
    row = 'instruction_only="wrong"'
    assert headers(row) == ["− wrong mae", "− wrong mae", "Δuser mae"]
