import logging

import numpy as np
import pytest

from training.data.columns import Columns, classify
from training.data.table import parse

NAN = float("nan")


def columns(name: str, fields: list[str], delimiter: str = ",") -> Columns:
    rows = [["file", "split", name], *([f"{i}.png", "train", f] for i, f in enumerate(fields))]
    data = "\n".join(delimiter.join(row) for row in rows)
    return classify(parse(data.encode(), "manifest.csv"), "manifest.csv")


@pytest.mark.parametrize(
    ("fields", "values"),
    [
        (["0", "1", "", "1"], [0, 1, NAN, 1]),
        (["20", "30.5", "1e2"], [20, 30.5, 100]),
        (["0", "1", "nan", "NA", "N/A", "None", "?"], [0, 1, *[NAN] * 5]),
        (["True", "False", "true", "nan"], [1, 0, 1, NAN]),
        (["yes", "No", "y", "n", "1", "0"], [1, 0, 1, 0, 1, 0]),
        (["-1", "1", "-1"], [0, 1, 0]),
        (["1", "2", "", "2"], [0, 1, NAN, 1]),
        (["0", "255"], [0, 1]),
        (["1", "1"], [1, 1]),
    ],
)
def test_numbers_and_truth_are_labels(fields: list[str], values: list[float]) -> None:
    found = columns("glasses", fields)
    assert found.tags == {}
    assert np.array_equal(found.labels["glasses"], values, equal_nan=True)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (["round", "", "NA"], ["round", "", ""]),
        (["none", "beard", "none"], ["none", "beard", "none"]),
        (["yes", "no", "maybe"], ["yes", "no", "maybe"]),
        (["yes", "3"], ["yes", "3"]),
        (["1", "inf"], ["1", "inf"]),
        (["1_2", "1_3"], ["1_2", "1_3"]),
    ],
)
def test_other_words_are_tags(fields: list[str], words: list[str]) -> None:
    assert columns("frame", fields) == Columns({}, {"frame": words})


def test_an_identity_is_no_quantity() -> None:
    assert columns("identity", ["7", "8"]).tags == {"identity": ["7", "8"]}


def test_a_comma_is_decimal_where_it_does_not_separate() -> None:
    assert columns("age", ["0,5", "1,5", "2"], ";").labels == {"age": [0.5, 1.5, 2]}


def test_what_each_column_is_gets_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    data = b",file,split,big,age,sex,frame,x\n"
    data += b"0,0.png,train,1,20,-1,round,\n1,1.png,test,0,30.5,nan,flat,NA\n"
    data += b"2,2.png,test,0,25,1,flat,\n"
    found = classify(parse(data, "manifest.csv"), "manifest.csv")
    assert list(found.labels) == ["big", "age", "sex"]
    assert list(found.tags) == ["frame"]
    assert [record.getMessage() for record in caplog.records] == [
        "columns that are labels: big (0 and 1), age (20 to 30.5), "
        "sex (0 and 1 for -1 and 1, 1 unknown)",
        "columns that are tags: frame (2 words)",
        "columns that are unknown: x, 1 column without a name",
    ]


def test_a_field_that_makes_a_tag_of_a_label_is_named(caplog: pytest.LogCaptureFixture) -> None:
    found = columns("age", ["20", "30", "old", "25"])
    assert found.tags == {"age": ["20", "30", "old", "25"]}
    assert "column 'age' is read as words, because of 'old' in line 4; 3 of 4" in caplog.text


def test_a_tag_whose_words_are_often_none_is_no_label(caplog: pytest.LogCaptureFixture) -> None:
    found = columns("beard", ["none", "none", "light", "none"])
    assert found.tags == {"beard": ["none", "none", "light", "none"]}
    assert "is read as words" not in caplog.text
