"""Printing and writing whatever the output is: a terminal, a pipe, another encoding, a device."""

import io
import os
import sys
from pathlib import Path

import pytest

from bench.output import make_console, make_encodable, prepare_streams, write_output
from tasks.common.errors import StorageError
from tests.bench.support import BENCH

LONG = "x" * 300


class Terminal(io.TextIOWrapper):
    """A stream that claims to be a terminal."""

    def isatty(self):
        return True


def open_stream(kind=io.TextIOWrapper, encoding="utf-8"):
    return kind(io.BytesIO(), encoding=encoding)


def content(stream):
    stream.flush()
    return stream.buffer.getvalue().decode(stream.encoding)


@pytest.fixture
def console(monkeypatch):
    """A console on a new stdout."""
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")

    def make(kind=io.TextIOWrapper, **variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "stdout", open_stream(kind))
        return make_console()

    return make


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_standard_output_is_said_in_a_line(project):
    project.suite("mean-score")
    command = "bench list suites > /dev/full; echo $?"
    process = project.start("-c", command.replace("bench", str(BENCH)), command=("bash",))
    out, err = process.communicate(timeout=60)
    assert out == "2\n"
    assert err == (
        "error: standard output can't be written (No space left on device). Free space.\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("table", "--out", LONG),
        ("list", "--config", LONG),
        ("data", "verify", "LaMP-3", "--root", LONG),
        ("plan", "--set", f"store.runs={LONG}"),
        ("export", LONG),
        ("run", "--set", f"data.tiny.root={LONG}"),
        ("show", LONG),
        ("run", LONG),
        ("verify", "--export", LONG),
        ("remove", LONG),
        ("archive", LONG, "s", "--yes"),
    ],
    ids=lambda arguments: " ".join(arguments).replace(LONG, "LONG"),
)
def test_a_name_that_is_too_long_is_an_error_in_words(project, bench, arguments):
    project.suite("mean-score")
    project.run()
    done = bench(*arguments)
    assert done.code == 2 or arguments[0] == "plan"
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("ascii", "D ^ v -> - +- 3x1 ... \\u0437\\u043d\\u0430\\u043a"),
        ("cp1252", "D ^ v -> - ± 3×1 … \\u0437\\u043d\\u0430\\u043a"),
        ("utf-8", "Δ ↑ ↓ → − ± 3×1 … знак"),
    ],
)
def test_what_an_encoding_lacks_gets_a_stand_in(encoding, text):
    assert make_encodable("Δ ↑ ↓ → − ± 3×1 … знак", encoding) == text


def test_prepared_streams_print_any_text(monkeypatch):
    stream = open_stream(encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    prepare_streams()
    print("Δuser знак", file=stream)
    assert content(stream) == "Duser \\u0437\\u043d\\u0430\\u043a\n"


def test_a_pipe_is_not_wrapped_unless_columns_says_so(console):
    assert console().width > 10_000
    assert console(COLUMNS="90").width == 90


def test_colours_are_for_terminals_without_no_color(console):
    def show(*arguments, **variables):
        made = console(*arguments, **variables)
        made.print("text", style="red")
        return content(sys.stdout)

    assert show() == "text\n"
    assert show(Terminal) == "\x1b[31mtext\x1b[0m\n"
    assert show(Terminal, NO_COLOR="1") == "text\n"


def test_markup_and_emoji_codes_are_text(console):
    console().print("[red]name[/red] :smile: [link=x]")
    assert content(sys.stdout) == "[red]name[/red] :smile: [link=x]\n"


def test_a_file_is_replaced_and_its_folder_made(tmp_path):
    path = tmp_path / "new" / "table.csv"
    write_output(path, "one")
    write_output(path, "two ±")
    assert path.read_text(encoding="utf-8") == "two ±"


def test_a_device_stays_a_device():
    """As root, a rename would replace even /dev/null."""
    reader, writer = os.openpty()
    device = Path(os.ttyname(writer))
    try:
        write_output(device, "text")
        assert os.read(reader, 100) == b"text"
        assert device.is_char_device()
    finally:
        os.close(reader)
        os.close(writer)


def test_a_link_stays_a_link(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    write_output(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_a_folder_is_an_error(tmp_path):
    with pytest.raises(StorageError, match="is a folder"):
        write_output(tmp_path, "text")
