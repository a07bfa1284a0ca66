"""Cells as text: delimiters, encodings, types, and rows that can't be read."""

import os
from decimal import Decimal

import pytest

from tasks.common.errors import DataError
from tasks.table.cells import to_text
from tasks.table.reading import read_table


def read(path, data, **options):
    path.write_bytes(data)
    table = read_table(path, **options)
    return table, [dict(row.cells) for row in table.rows]


@pytest.mark.parametrize(
    ("name", "data", "encoding"),
    [
        ("a.csv", 'user,text\nann,"é, ""x""\n2"\n'.encode(), "utf-8"),
        ("a.csv", b'\xef\xbb\xbfuser;text\r\nann;"\xc3\xa9, ""x""\n2"\r\n', "utf-8"),
        ("a.csv", b'user|text\nann|"\xe9, ""x""\n2"', "cp1252"),
        ("a.tsv", 'user\ttext\nann\t"é, ""x""\n2"\n'.encode("utf-16"), "utf-8"),
        ("a.jsonl", '{"user": "ann", "text": "é, \\"x\\"\\n2"}\n'.encode(), "utf-8"),
        ("a.ndjson", '\ufeff{"user": "ann", "text": "é, \\"x\\"\\n2"}\r\n\r\n'.encode(), "utf-8"),
    ],
)
def test_one_row_in_many_forms(tmp_path, name, data, encoding):
    _, rows = read(tmp_path / name, data, encoding=encoding)
    assert rows == [{"user": "ann", "text": 'é, "x"\n2'}]


@pytest.mark.parametrize(
    "data",
    [
        b"user,text\nann,x\n,\n , \n",  # empty rows of a spreadsheet
        b"user,text,,\nann,x,,\n",  # a delimiter at every line's end
        b"user,text\nann,x,,\n",
        "\u200buser,text\u00a0\u2060\nann,x\n".encode(),
        b"sep=;\r\nuser;text\r\nann;x\r\n",
        b'"sep=|"\nuser|text\nann|x\n',
    ],
)
def test_what_spreadsheets_add_is_no_data(tmp_path, data):
    table, rows = read(tmp_path / "a.csv", data)
    assert rows == [{"user": "ann", "text": "x"}]
    assert not table.rows[0].fault


def test_the_index_that_pandas_writes_is_a_column(tmp_path):
    _, rows = read(tmp_path / "a.csv", b",user,text\n0,ann,x\n")
    assert rows == [{"column 1": "0", "user": "ann", "text": "x"}]


def test_a_tsv_may_hold_commas(tmp_path):
    assert read(tmp_path / "a.tsv", b"user,text\nann,x\n")[1] == [{"user": "ann", "text": "x"}]
    assert read(tmp_path / "b.tsv", b"a,b,c\td\n1\t2\n")[1] == [{"a,b,c": "1", "d": "2"}]


def read_index(path, frame):
    """The columns of a Parquet file whose index has a name."""
    frame.set_index("when").to_parquet(path)
    return read_table(path).columns


def test_a_row_of_json_that_hides_a_value_is_faulty(tmp_path):
    lines = [b'{"a": 1}', b'{"a": 1, "a": 2}', b'{"a": ' + b"9" * 5000 + b"}", b'{"a": {}}']
    table, _ = read(tmp_path / "a.jsonl", b"\n".join(lines))
    assert [row.fault for row in table.rows] == [
        "",
        "holds the key 'a' twice",
        "holds a number of more than 4,300 digits",
        "",
    ]
    assert table.rows[3].nested == {"a": "an object"}


def test_parquet_keeps_ids_whole(tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow", reason="Parquet needs pyarrow")
    path = tmp_path / "a.parquet"
    frame = pandas.DataFrame({"user": [7, None], "when": [pandas.Timestamp("2024-01-02"), None]})
    assert [*read_index(path, frame)] == ["when", "user"]
    frame.to_parquet(path)
    rows = [dict(row.cells) for row in read_table(path).rows]
    assert rows == [{"user": "7", "when": "2024-01-02T00:00:00"}, {"user": None, "when": None}]


def test_rows_are_numbered_as_a_spreadsheet_does(tmp_path):
    table, _ = read(tmp_path / "a.csv", b"a,b\n1,2\n\n3\n4,5,6\n")
    assert [(row.number, row.fault) for row in table.rows] == [
        (2, ""),
        (4, "has fewer cells (1) than the header (2)"),
        (5, "has more cells (3) than the header (2)"),
    ]
    table, _ = read(tmp_path / "a.jsonl", b'{"a": 1}\n[2]\n{"a": [3]}\n{\n')
    assert [row.number for row in table.rows] == [1, 2, 3, 4]
    assert table.rows[1].fault == "is list, not an object"
    assert table.rows[2].nested == {"a": "a list"}
    assert table.rows[3].fault.startswith("is not JSON")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (7, "7"),
        (Decimal("7.50"), "7.5"),
        (Decimal("NaN"), None),
        (Decimal(70), "70"),
        (7.0, "7"),
        (7.5, "7.5"),
        (True, "true"),
        (float("nan"), None),
        (" ", None),
    ],
)
def test_values_become_text(value, text):
    assert to_text(value) == text


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.csv", b"", "is empty"),
        ("a.csv", b"a,b\n", "holds no rows"),
        ("a.csv", b"a,a\n1,2\n", "two columns are called 'a'"),
        ("a.csv", b"a,\n1,2\n", "a column has no name"),
        (
            "a.csv",
            b'a,b\n1,2\n1,"2\n3,4\n',
            "unexpected end of data in the row that begins at line 3",
        ),
        ("a.csv", b"PK\x03\x04\x14\x00", "is a ZIP archive or an Excel workbook, not text"),
        ("a.jsonl", b"\x1f\x8b\x08", "is compressed by gzip, not text. Unpack the file"),
        ("a.csv", b"a,b\n1,\xe9\n", "is not utf-8 at byte 6 (line 2)"),
        ("a.csv", b"a\0,\0b\0", "null characters"),
        ("a.jsonl", b'[{"a": 1}]', "holds one JSON list. Write one object per line"),
        ("a.jsonl", b'{\n"a": 1}', "holds no JSON object on any line"),
        ("a.xlsx", b"a", "has the ending '.xlsx'"),
        ("a.parquet", b"a", "can't be read as Parquet"),
    ],
)
def test_a_damaged_file_is_an_error_that_names_it(tmp_path, name, data, message):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(DataError) as error:
        read_table(path)
    assert message in str(error.value)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("encoding", ["utf-9", "hex", "undefined", "a\0b", ""])
def test_an_encoding_that_is_none_is_named(tmp_path, encoding):
    with pytest.raises(DataError, match=r"the encoding .* is unknown"):
        read(tmp_path / "a.csv", b"user,text\nann,x\n", encoding=encoding)


def test_what_is_no_file_is_an_error(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    for name, message in (
        ("pipe.csv", "a named pipe"),
        ("no.csv", "no such file"),
        (".", "folder"),
    ):
        with pytest.raises(DataError, match=message):
            read_table(tmp_path / name)
