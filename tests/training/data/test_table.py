import codecs

import pytest

from training.data.dataset import DataError
from training.data.table import parse

ROWS = [["file", "split", "who"], ["0.png", "train", "Zoë"], ["1.png", "test", ""]]


def text(delimiter: str = ",", end: str = "\n") -> str:
    return "".join(delimiter.join(row) + end for row in ROWS)


@pytest.mark.parametrize(
    "data",
    [
        text().encode(),
        text().encode("utf-8-sig"),
        text().encode("cp1252"),
        codecs.BOM_UTF16_LE + text("\t").encode("utf-16-le"),
        text(";", "\r\n").encode(),
        text("\t").encode(),
        text("|").encode(),
        text(" , ").encode(),
        text(",", "\r").encode(),
        (text() + "\n,,\n").encode(),
        text().replace("file,split", "File,SPLIT").encode(),
        text().replace("0.png", '"0.png"').encode(),
    ],
)
def test_a_table_is_read_as_programs_write_it(data: bytes) -> None:
    table = parse(data, "manifest.csv")
    assert table.columns == ["file", "split", "who"]
    assert [[row[c] for c in table.columns] for row in table.rows] == ROWS[1:]
    assert table.unnamed == 0


@pytest.mark.parametrize("name", ["", " ", "Unnamed: 0"])
def test_a_column_without_a_name_is_left_out(name: str) -> None:
    table = parse(f"{name},file,split\n0,0.png,train\n".encode(), "manifest.csv")
    assert table.rows == [{"file": "0.png", "split": "train"}]
    assert table.unnamed == 1


def test_a_line_is_that_of_the_file() -> None:
    data = b'file,split,note\n0.png,train,"two\nlines"\n\n1.png,train,one\n'
    assert parse(data, "manifest.csv").lines == [3, 5]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "needs the columns file and split; .* none, the file is empty"),
        (
            b"path;split;big\n0.png;train;1\n",
            "manifest.csv needs the columns file and split; found, separated by semicolons: "
            "'path', 'split', 'big'",
        ),
        (b"image\n0.png\n", "found, separated by commas: 'image'"),
        (b"file,split\n", "needs rows below its header"),
        (b"file,split,a,a\n0.png,train,1,2\n", "has the column 'a' twice"),
        (b"file,split\n0.png\n", "line 2 does not have .* it has 1 fields, the header 2"),
        (b"file,split\n\x81.png,train\n", "an encoding that is not known; save it as UTF-8"),
        (codecs.BOM_UTF16_LE + b"f", "an encoding that is not known"),
        (b"file,split\n" + b"x" * 200_000 + b",train\n", "not a table of text: field larger"),
    ],
)
def test_what_is_no_such_table_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        parse(data, "manifest.csv")
