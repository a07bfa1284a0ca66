"""One table in four formats: structure, marks and escapes."""

import io
import re

import pandas as pd
import pytest
from rich.console import Console

from bench import store, tables
from bench.output import HANDLER
from bench.render import (
    Field,
    Sheet,
    make_sheets,
    print_sheet,
    print_table,
    to_csv,
    to_latex,
    to_markdown,
    to_text,
)
from bench.tables.marks import BOLD
from tests.bench.support import GOLDS

AWKWARD = "50%_of|a&b#1$~^{x}"
TEX_ESCAPES = re.compile(r"\\[%_&#$~^{}\\]|\\text\w+(\{\})?|\\[A-Za-z]+")


@pytest.fixture
def table(project):
    """wrong (the reference, by 2 and 3), right (best), a broken method, an awkward name."""
    golds = project.crowd()
    wrong = {id: "2" if n % 2 else "3" for n, id in enumerate(golds)}
    project.says("wrong", wrong, probe="SaysUnseeded")
    project.says("right", golds, probe="SaysUnseeded")
    probe = "tests.bench.probes:SaysUnseeded"
    project.add(f"[methods.'{AWKWARD}']\nmethod = '{probe}'\nfailed = ['q00', 'q01']\n")
    project.probe("broken", "Fails", file=project.root / "no")
    project.suite("wrong", "right", AWKWARD, "broken", more='reference = "wrong"')
    project.run()
    return tables.build(project.load(), project.plan(), all_metrics=True)


def scores_of(text):
    """The part before the differences."""
    return text[: text.index("difference to wrong, with intervals")]


def find_row(text, name):
    """The only line of the scores that begins with a name."""
    lines = scores_of(text).splitlines()
    (line,) = [line for line in lines if re.match(rf"(\| )?{re.escape(name)} ", line)]
    return line


def draw(table, width=200, encoding="utf-8", **options):
    """What a console of that width and encoding receives."""
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors=HANDLER)
    print_table(table, Console(file=out, width=width), **options)
    out.flush()
    return out.buffer.getvalue().decode(encoding)


def test_the_terminal_table(table):
    text = to_text(table)
    assert "mae ↓" in text
    assert "n=12" in text
    assert "0.000*" in find_row(text, "right")
    assert "2.500" in find_row(text, "wrong")
    assert "*" not in find_row(text, "wrong")
    assert "f2" in find_row(text, AWKWARD)
    assert "failed" in find_row(text, "broken")
    for note in table.notes:
        assert (f"- {note}" in text.splitlines()) != note.startswith(BOLD)


def test_the_best_are_bold_in_a_terminal(table):
    console = Console(file=io.StringIO(), force_terminal=True, color_system="standard", width=200)
    print_table(table, console)
    text = console.file.getvalue()
    assert re.search(r"\x1b\[1m *0\.000\*\x1b\[0m", text)
    assert not re.search(r"\x1b\[1m *2\.500", text)
    assert BOLD in text  # a pipe has none, and its notes don't promise it


def test_intervals_are_printed_when_asked_for(table):
    for render in (to_text, to_markdown, to_latex):
        assert "[2.168, 2.832]" not in render(table)  # 2.5 ± 2.201 · (3/11/12)^½
        assert "[2.168, 2.832]" in render(table, intervals=True)


def test_the_markdown_table(table):
    text = to_markdown(table)
    lines = [line for line in scores_of(text).splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 4
    assert lines[0] == "| method | LaMP-3 mae ↓ n=12 | LaMP-3 rmse ↓ n=12 |"
    assert lines[1] == "| --- | ---: | ---: |"
    assert "| right | **0.000*** | **0.000*** |" in lines
    assert "| broken | failed | failed |" in lines
    columns = {len(re.split(r"(?<!\\)\|", line)) for line in lines}
    assert columns == {5}  # the | of the awkward name doesn't split a cell
    assert sum(line.startswith("- ") for line in text.splitlines()) == len(table.notes)


def test_the_latex_table(table):
    text = to_latex(table)
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
    text = scores_of(to_latex(table))
    (line,) = [line for line in text.splitlines() if line.startswith("50")]
    bare = TEX_ESCAPES.sub("", line.removesuffix(" \\\\").replace(" & ", " "))
    assert not set(bare) & set("%_&#$~^\\"), bare


def test_latex_holds_nothing_that_pdflatex_cannot_read(table):
    body = [line for line in to_latex(table).splitlines() if not line.startswith("%")]
    assert [line for line in body if not line.isascii()] == []


def test_what_rows_cost_is_the_mean_of_their_records(project):
    project.suite("zero-shot", "pplug", "pplug@own-random")
    project.add("[methods.pplug]\ntraining = { max_steps = 1, batch_size = 4 }\n")
    project.run("seeds=[0, 1]")
    table = tables.build(project.load("seeds=[0, 1]"), project.plan("seeds=[0, 1]"))
    zero_shot, pplug, control = (row.cost for row in table.rows)
    assert control is None
    assert zero_shot.trainable_shared == zero_shot.bytes_per_user == 0
    cells = [c for c in project.plan("seeds=[0, 1]").cells if c.variant == "pplug"]
    records = [store.read_record(cell.folder) for cell in cells]
    assert len(records) == 2
    assert pplug.trainable_shared == records[0].cost.trainable_shared > 0
    assert pplug.query_ms == pytest.approx(
        sum(1000 * r.seconds.predict / r.totals.n for r in records) / 2
    )
    csv = pd.read_csv(io.StringIO(to_csv(table, costs=True))).set_index("method")
    assert csv.query_ms["pplug"] == pytest.approx(pplug.query_ms, abs=1e-6)
    assert csv.trainable_shared["zero-shot"] == 0
    assert "query_ms" not in to_csv(table)  # what is exported must not change with the clock
    text = to_markdown(table)
    lines = text[text.index("cost, means") :].splitlines()
    assert lines[2].split(" | ")[1:3] == ["shared parameters", "shared fit s"]
    assert lines[4].startswith("| zero-shot | 0 | ")
    assert lines[5].startswith(f"| pplug | {pplug.trainable_shared:,.0f} | ")
    assert pplug.fit_seconds == pytest.approx(sum(r.fit.seconds for r in records) / 2)
    assert f"{pplug.trainable_shared:,.0f}" in draw(table, width=80)


def test_csv_comes_back_as_the_frame(table):
    found = pd.read_csv(io.StringIO(to_csv(table)))
    expected = tables.to_frame(table)
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
        to_markdown(tables.build(project.load(*o), project.plan(*o)))
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
    for render in (to_text, to_markdown, to_latex):
        assert "zero-shot" in render(empty)


def test_csv_of_nothing_has_its_header(project):
    project.suite("zero-shot")
    empty = tables.build(project.load(), project.plan())
    assert pd.read_csv(io.StringIO(to_csv(empty))).empty


def test_a_sheet_of_differences_to_each_opponent(project):
    project.says("wrong", dict.fromkeys(GOLDS, "3"))
    project.says("blind", dict.fromkeys(GOLDS, "1"))
    project.probe("learns", "Learns", file=project.root / "fits")
    project.suite("wrong", "blind", "learns", more='reference = "wrong"')
    project.run("controls=true", "seeds=[0, 1]")

    def sheets(*overrides):
        """The first words of the title → the rows' labels, in sheets of primary metrics."""
        table = tables.build(project.load(*overrides), project.plan(*overrides), all_metrics=True)
        found = [sheet for sheet in make_sheets(table) if sheet.columns == (("LaMP-3", "mae ↓"),)]
        return {sheet.title.split(",")[0]: [row[0][0] for row in sheet.rows] for sheet in found}

    plain = {"difference to wrong": ["blind", "learns"]}
    assert sheets() == plain  # also in a suite without controls
    delta = {"Δuser: difference to the method with another user's history": ["learns"]}
    assert sheets("controls=true") == plain | delta
    blind = {"difference to blind (no user)": ["wrong", "learns"]}
    assert sheets('instruction_only="blind"') == plain | blind
    methods = ["wrong", "blind", "learns", "learns@shuffled-user"]
    seeds = {"standard deviation over seeds": methods}
    assert sheets("controls=true", "seeds=[0, 1]") == plain | delta | seeds


def test_a_difference_and_its_interval(table):
    assert "right" in to_text(table)
    (line,) = [li for li in to_markdown(table).splitlines() if "-2.500*" in li and "right" in li]
    assert line == "| right | -2.500* [-2.832, -2.168] |"


def test_relative_gains_are_positive_where_an_error_falls(table):
    text = to_text(table)
    lines = text[text.index("gain over wrong in % of its score") :].splitlines()
    assert next(line.split() for line in lines if line.startswith("right")) == ["right", "+100.0*"]


def test_one_seed_is_marked(project):
    project.says("trained", dict.fromkeys(project.crowd(), "5"))
    project.suite("trained", more='reference = "trained"')
    project.run()
    built = tables.build(project.load(), project.plan())
    line = next(line for line in to_text(built).splitlines() if line.startswith("trained "))
    assert line.split() == ["trained", "0.000", "1", "seed"]


MANY = """
[llms.a-second-llm-with-a-long-name]
model = "{models}/t5"
device = "cpu"
[encoders.a-second-encoder]
model = "{models}/encoder"
pooling = "cls"
[methods.pplug]
training = {{ max_steps = 1, batch_size = 4 }}
"""


@pytest.fixture
def crowded(project, models):
    """2 LLMs × 2 encoders with controls (fault 14)."""
    project.add(MANY.format(models=models))
    project.suite("zero-shot", "dense", more="controls = true")
    both = ('llms=["t5", "a-second-llm-with-a-long-name"]', 'encoders=["bert", "a-second-encoder"]')
    project.run(*both)
    return tables.build(project.load(*both), project.plan(*both))


@pytest.mark.parametrize("width", [200, 80, 50, 20])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_no_value_is_left_out_at_any_width(crowded, width, encoding):
    text = draw(crowded, width=width, encoding=encoding)
    for sheet in make_sheets(crowded):
        values = [field.text for _, fields in sheet.rows for field in fields]
        for value in set(values) - {"–"}:
            assert len(re.findall(rf"(?<![^ |]){re.escape(value)}(?![^ \n])", text)) >= (
                values.count(value)
            )
    assert len(crowded.rows) == 10


def test_lines_fit_the_width_and_parts_are_labelled(project):
    names = ("LaMP-1", "LaMP-2", "LaMP-3", "LaMP-4", "LaMP-5", "LaMP-7")
    sheet = Sheet(
        "scores",
        ("method",),
        tuple((name, "accuracy ↑ n=150") for name in names),
        ((("pplug-whitened@shuffled-user",), tuple(Field(f"0.{i}23*") for i in range(6))),),
    )
    console = Console(file=io.StringIO(), width=80)
    print_sheet(sheet, console)
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    titles = [line for line in lines if line.startswith("scores")]
    assert titles == [
        "scores, part 1 of 2: LaMP-1, LaMP-2, LaMP-3",
        "scores, part 2 of 2: LaMP-4, LaMP-5, LaMP-7",
    ]
    assert sum(line.startswith("method") for line in lines) == 2
    wide = Console(file=io.StringIO(), width=200)
    print_sheet(sheet, wide)
    assert wide.file.getvalue().startswith("scores\n")


def test_names_are_printed_as_they_are(project):
    """Markup of terminals, markdown and LaTeX in a name is data (fault 17)."""
    name = "[red]*a*_b_"
    project.add(f"[methods.'{name}']\nmethod = 'tests.bench.probes:Says'\n")
    project.suite(name)
    project.run()
    table = tables.build(project.load(), project.plan())
    assert f"\n{name} " in draw(table)
    assert r"| \[red\]\*a\*\_b\_ |" in to_markdown(table)
    assert r"[red]*a*\_b\_ &" in to_latex(table)
