import re
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llp_core.datasets import tables
from llp_core.datasets.tables import read_table
from llp_core.errors import InputError


def csv_table(folder, text, encoding="utf-8"):
    path = folder / "nodes.csv"
    path.write_bytes(text.encode(encoding))
    return read_table(path, "my/nodes.csv")


def parquet_table(folder, **columns):
    path = folder / "nodes.parquet"
    pq.write_table(pa.table(columns), path)
    return read_table(path, "my/nodes.parquet")


@pytest.mark.parametrize("number", ["1700000000000000000", "9007199254740993"])
def test_a_number_beyond_what_is_exact_tells_the_bound(tmp_path, number):
    table = csv_table(tmp_path, f"id,t\na,2020\nb,{number}\n")
    with pytest.raises(InputError, match=rf"line 3: expected a whole number below 2\^53 .* found '{number}'"):
        table.integers("t")


def test_damage_within_a_parquet_file_is_told(tmp_path):
    path = tmp_path / "nodes.parquet"
    pq.write_table(pa.table({"id": [str(number) for number in range(999)], "x": list(range(999))}), path)
    sound, refused = path.read_bytes(), 0
    for place in range(4, len(sound) - 8, len(sound) // 50):
        path.write_bytes(sound[:place] + b"\xff" * 8 + sound[place + 8 :])
        try:
            read_table(path, "my/nodes.parquet")
        except InputError as error:
            refused += str(error).startswith("my/nodes.parquet: expected a Parquet file, but it cannot be read as one")
    assert refused > 10


def test_csv_values_are_the_text_of_the_file(tmp_path):
    table = csv_table(tmp_path, 'id,about\n007,"a, ""b""\nc"\n\nNA,é\r\n')
    assert table.rows == 2
    assert table.words("id").tolist() == ["007", "NA"]
    assert table.words("about").tolist() == ['a, "b"\nc', "é"]


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path):
    assert csv_table(tmp_path, "id\na\n", encoding="utf-8-sig").data.column_names == ["id"]


def test_places_are_lines_of_a_csv_file_and_rows_of_a_parquet_file(tmp_path):
    table = csv_table(tmp_path, 'id,about\na,"two\nlines"\n\nb,x\n')
    assert [table.place(row) for row in range(2)] == ["line 2", "line 5"]
    assert parquet_table(tmp_path, id=["a", "b"]).place(1) == "row 2"


def test_parquet_ids_may_be_integers_text_or_categories(tmp_path):
    table = parquet_table(
        tmp_path, whole=[1, 20], text=["01", "b"], category=pa.array(["x", "y"]).dictionary_encode(), real=[1.0, 2.0]
    )
    assert table.words("whole").tolist() == ["1", "20"]
    assert table.words("text").tolist() == ["01", "b"]
    assert table.words("category").tolist() == ["x", "y"]
    with pytest.raises(
        InputError, match=r"'real': expected text or integers, found type double. Convert it; .* its row\.$"
    ):
        table.words("real")


def test_numbers_are_read_from_text_and_from_numbers(tmp_path):
    table = csv_table(tmp_path, "x\n1\n -2.5\n1e3\n")
    assert table.numbers("x").tolist() == [1.0, -2.5, 1000.0]
    typed = parquet_table(
        tmp_path,
        x=[1, 2],
        flag=[True, False],
        small=pa.array([0.5, 1.5], pa.float32()),
        price=pa.array([Decimal("0.25"), Decimal("3")]),
        category=pa.array([7, 8]).dictionary_encode(),
    )
    assert typed.numbers("x").tolist() == [1.0, 2.0]
    assert typed.numbers("flag").tolist() == [1.0, 0.0]
    assert typed.numbers("small").dtype == np.float64
    assert typed.numbers("price").tolist() == [0.25, 3.0]
    assert typed.numbers("category").tolist() == [7.0, 8.0]


@pytest.mark.parametrize(
    ("value", "found"),
    [("nan", "'nan'"), ("", "nothing"), ("inf", "'inf'"), ("-inf", "'-inf'"), ("1e39", "'1e39'"), ("tall", "'tall'")],
)
def test_what_is_no_finite_number_is_named_with_its_line(tmp_path, value, found):
    table = csv_table(tmp_path, f"id,x\na,1\nb,{value}\n")
    message = f"my/nodes.csv, column 'x', line 3: expected a finite number, found {found}. Correct it."
    with pytest.raises(InputError, match=re.escape(message)):
        table.numbers("x")


def test_a_missing_number_of_a_parquet_file_is_named_with_its_row(tmp_path):
    table = parquet_table(tmp_path, x=[1, None])
    with pytest.raises(InputError, match=r"nodes.parquet, column 'x', row 2: expected a finite number, found nothing"):
        table.numbers("x")


@pytest.mark.parametrize("kind", [pa.time64("ns"), pa.duration("s")])
@pytest.mark.parametrize("read", ["numbers", "integers"])
def test_types_that_are_no_numbers(tmp_path, kind, read):
    table = parquet_table(tmp_path, year=pa.array([None, None], kind))
    message = rf"column 'year': expected numbers or dates, found type {re.escape(str(kind))}. Convert it\.$"
    with pytest.raises(InputError, match=message):
        getattr(table, read)("year")


MOMENT = datetime(2024, 2, 29, 1, 0, 1, 500_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "seconds"),
    [
        (pa.timestamp("us"), 1_709_168_401),
        (pa.timestamp("ns", "UTC"), 1_709_168_401),
        (pa.timestamp("ms", "Asia/Tokyo"), 1_709_168_401),
        (pa.date32(), 1_709_164_800),
    ],
)
def test_dates_of_parquet_are_seconds(tmp_path, kind, seconds):
    early = datetime(1969, 12, 31, tzinfo=UTC)
    table = parquet_table(tmp_path, day=pa.array([MOMENT, early]).cast(kind, safe=False))
    assert table.integers("day").tolist() == [seconds, -86_400]
    gap = parquet_table(tmp_path, day=pa.array([MOMENT, None]).cast(kind, safe=False))
    assert np.isnan(gap.numbers("day", may_be_empty=True)).tolist() == [False, True]


def test_dates_of_csv_are_seconds(tmp_path):
    text = "day\n2024-02-29\n2024-02-29T01:00:01.5Z\n2024-02-29 01:00:01\n2024-02-29T03:00:01+02:00\n1969-12-31\n"
    assert csv_table(tmp_path, text).integers("day").tolist() == [1_709_164_800, *[1_709_168_401] * 3, -86_400]


@pytest.mark.parametrize(
    ("stray", "found"), [("2024-02-30", "'2024-02-30'"), ("soon", "'soon'"), ("2024", "'2024'"), ("", "nothing")]
)
@pytest.mark.parametrize("place", [0, 2])
def test_among_dates_the_stray_value_is_named(tmp_path, stray, found, place):
    values = ["2024-02-29", "2024-03-01T10:00:00", "2024-03-02"]
    values[place] = stray
    table = csv_table(tmp_path, "id,day\n" + "".join(f"{row},{day}\n" for row, day in enumerate(values)))
    message = rf"column 'day', line {place + 2}: expected a date in ISO 8601, as most are, found {found}"
    with pytest.raises(InputError, match=message):
        table.integers("day")


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_other_marks_than_commas_are_told(tmp_path, mark):
    with pytest.raises(InputError, match=r"nodes.csv, line 1: expected commas between the columns, found '.*'\. Save"):
        csv_table(tmp_path, mark.join(("id", "x")) + "\n" + mark.join(("a", "1,5")) + "\n")


@pytest.mark.parametrize("stray", ["2024", "2024-02-30", "2024-2-9", "20240229", "x", "2024-01-015"])
@pytest.mark.parametrize("first", [True, False])
def test_a_column_is_of_dates_or_it_is_not(tmp_path, stray, first):
    values = [stray, "2024-02-29"] if first else ["2024-02-29", stray]
    table = csv_table(tmp_path, "day\n" + "\n".join(values) + "\n")
    line = 3 if values[0].isdigit() else 2
    message = rf"column 'day', line {line}: expected a finite number, found '{values[line - 2]}'"
    with pytest.raises(InputError, match=message):
        table.numbers("day")


@pytest.mark.parametrize("value", ["2001.5", "1e300", "9007199254740994"])
def test_whole_numbers_are_demanded_of_a_time(tmp_path, value):
    table = csv_table(tmp_path, f"year\n2001\n{value}\n")
    with pytest.raises(InputError, match=r"column 'year', line 3: expected a (whole|finite) number"):
        table.integers("year")


def test_whole_numbers_are_read(tmp_path):
    assert csv_table(tmp_path, "year\n2001\n-5\n").integers("year").tolist() == [2001, -5]


@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_word_is_named_with_its_line(tmp_path, value):
    table = csv_table(tmp_path, f"id,about\na,x\nb,{value}\n")
    with pytest.raises(InputError, match=r"my/nodes.csv, column 'about', line 3: expected a value, found nothing"):
        table.words("about")


def test_a_missing_column_is_named_with_the_ones_there_are(tmp_path):
    table = csv_table(tmp_path, "node,x\na,1\n")
    message = r"my/nodes.csv, line 1: expected a column 'id' \(data.files.id\), found 'node', 'x'"
    with pytest.raises(InputError, match=message):
        table.require("id", "data.files.id")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a header line .*, found an empty file"),
        ("id,x\n", "expected at least one row below the header, found none"),
        ("id,x", "expected at least one row below the header, found none"),
        ("id,id\na,b\n", "line 1: column 'id' occurs more than once"),
        (",id\n0,a\n", "line 1: expected a name for each column, found none for column 1. .* told `index=False`"),
        ("id,x, \na,1,\n", "line 1: expected a name for each column, found none for column 3"),
        ("id,x\na,1\nb\n", "line 3: expected 2 values, as in the header, found 1"),
        ('id,x\n"a\nb",1\nc,1,2\n', "line 4: expected 2 values, as in the header, found 3"),
    ],
)
def test_a_malformed_csv_file_is_refused_with_the_line(tmp_path, text, message):
    with pytest.raises(InputError, match=f"^my/nodes.csv.*{message}"):
        csv_table(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('id,x\na,1\nb,"see ticket\nc,2\nd,3\n', 3),
        ('id,x\na,"two\nlines"\nb,"see ""ticket""\nc,2\n', 4),
        ('id,x\na,5" pipe\nb,"see ticket\nc,2\n', 3),
        ('id,x\na,"5" pi"pe\nb,"see ticket\nc,2\n', 3),
        ('id,x\na,1\nb,"', 3),
        ('id,x\na,1\nb,"\n', 3),
        ('id,x\na,1\r\nb,"see ticket\r\nc,2\r\n', 3),
        ('id\na\n"b\nc\n', 3),
        ('id,x\na,1\n"b,2\nc,3\n', 3),
        ('id,"x\na,1\n', 1),
        ('id,x\na,1\nb,"' + "c,2\n" * 500_000, 3),
    ],
)
def test_a_quote_that_nothing_closes_is_refused_with_the_line_of_its_record(tmp_path, text, line):
    with pytest.raises(InputError, match=f"^my/nodes.csv, line {line}: expected a double quote that closes a value"):
        csv_table(tmp_path, text)


def test_an_earlier_fault_is_told_before_a_quote_that_nothing_closes(tmp_path):
    with pytest.raises(InputError, match="line 2: expected 2 values, as in the header, found 3"):
        csv_table(tmp_path, 'id,x\na,1,2\n"b,2\n')


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ('"a"', "a"),
        ('""', ""),
        ('"""a"', '"a'),
        ('"a"""', 'a"'),
        ('""""', '"'),
        ('"\n"', "\n"),
        ('"\n""\n"', '\n"\n'),
        ('5" pipe', '5" pipe'),
        ('pipe 5"', 'pipe 5"'),
        (' "a', ' "a'),
        ('"5" pi"pe', '5 pi"pe'),
        ('"5"x"', '5x"'),
    ],
)
@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n"])
def test_quotes_that_open_nothing_or_are_closed_are_read(tmp_path, value, found, end):
    assert csv_table(tmp_path, f"id,x\na,{value}{end}").data.column("x").to_pylist() == [found]


@given(st.text('a",\n', max_size=30))
def test_it_is_refused_where_the_file_ends_inside_quotes(tmp_path_factory, text):
    """What is in quotes and what is not, character by character, in a file of one column."""
    state = "start"
    for character in text:
        if state == "quoted":
            state = "quote" if character == '"' else "quoted"
        elif character in ",\n":
            state = "start"
        elif character == '"' and state in ("start", "quote"):
            state = "quoted"
        else:
            state = "plain"
    try:
        csv_table(tmp_path_factory.mktemp("t"), "id\n" + text)
        told = ""
    except InputError as error:
        told = str(error)
    if "values, as in the header" not in told:
        assert ("double quote that closes" in told) is (state == "quoted")


@pytest.mark.parametrize(
    ("text", "place", "position"),
    [("id,x\na,caf\xe9\n", "line 2", 6), ("id,caf\xe9\na,1\n", "line 1", 7)],
)
def test_what_is_not_utf_8_is_refused_with_the_line(tmp_path, text, place, position):
    message = f"my/nodes.csv, {place}: expected UTF-8, found byte 0xe9 at position {position}. Save the file as UTF-8."
    with pytest.raises(InputError, match=re.escape(message)):
        csv_table(tmp_path, text, encoding="latin-1")


def test_a_value_longer_than_the_reader_takes_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"^my/nodes.csv: expected a CSV file, but it cannot be read as one"):
        csv_table(tmp_path, 'id,about\na,"' + "x\n" * 2_000_000 + '"\n')


def test_a_file_that_is_no_parquet_is_refused(tmp_path):
    path = tmp_path / "nodes.parquet"
    path.write_text("id,x\na,1\n")
    with pytest.raises(InputError, match=r"^my/nodes.parquet: expected a Parquet file"):
        read_table(path, "my/nodes.parquet")


def test_text_of_a_parquet_file_that_is_not_utf_8_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"^my/nodes.parquet: expected a Parquet file.* column 1: .*UTF8"):
        parquet_table(tmp_path, id=["a", "b"], about=pa.array([b"x", b"\xff"]).view(pa.string()))


def test_a_parquet_file_without_rows_is_refused(tmp_path):
    with pytest.raises(InputError, match="expected at least one row"):
        parquet_table(tmp_path, id=pa.array([], pa.string()))


def test_a_missing_file_and_an_unknown_extension_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"my/nodes.csv: no such file"):
        read_table(tmp_path / "nodes.csv", "my/nodes.csv")
    (tmp_path / "nodes.xlsx").write_text("")
    with pytest.raises(InputError, match=r"my/nodes.xlsx: expected a file that ends in .csv or .parquet"):
        read_table(tmp_path / "nodes.xlsx", "my/nodes.xlsx")


def test_files_past_the_limits_are_refused(tmp_path, monkeypatch):
    text = "id,x\na,1\nb,2\nc,3\n"
    assert csv_table(tmp_path, text).rows == 3
    for limit, value, message in (
        ("MAX_BYTES", 10, "it has 17 bytes; at most 10 are read"),
        ("MAX_ROWS", 2, "it has 3 rows and 2 columns; at most 2 and"),
        ("MAX_COLUMNS", 1, "my/nodes.csv, line 1: it has 2 columns; at most 1 are read"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(tables, limit, value)
            with pytest.raises(InputError, match=message):
                csv_table(tmp_path, text)
    monkeypatch.setattr(tables, "MAX_ROWS", 2)
    with pytest.raises(InputError, match="it has 3 rows and 1 columns"):
        parquet_table(tmp_path, id=["a", "b", "c"])


@pytest.mark.parametrize("values", [["x" * 1000] * 50_000, pa.array(["x" * 1000] * 50_000).dictionary_encode()])
def test_a_small_parquet_file_that_unpacks_to_a_large_table_is_refused(tmp_path, monkeypatch, values):
    monkeypatch.setattr(tables, "MAX_UNPACKED_BYTES", 60_000_000)
    assert parquet_table(tmp_path, about=values).rows == 50_000
    assert (tmp_path / "nodes.parquet").stat().st_size < 10_000
    monkeypatch.setattr(tables, "MAX_UNPACKED_BYTES", 10_000_000)
    with pytest.raises(InputError, match="its rows take more than 10,000,000 bytes of memory"):
        parquet_table(tmp_path, about=values)


def test_a_parquet_file_of_many_batches_is_read_in_its_order(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "BATCH_ROWS", 2)
    table = parquet_table(tmp_path, x=[1, 2, 3, 4, 5], kind=pa.array(list("abcba")).dictionary_encode())
    assert table.numbers("x").tolist() == [1, 2, 3, 4, 5]
    assert table.words("kind").tolist() == list("abcba")
    assert table.data.nbytes < 100, "the categories are not kept once a batch"


def test_numbers_of_rows_that_pandas_left_are_no_column(tmp_path):
    rows = pd.DataFrame({"id": ["a", "b", "c"], "x": [1, 2, 3]})
    rows[rows["x"] != 2].to_parquet(tmp_path / "nodes.parquet")
    table = read_table(tmp_path / "nodes.parquet", "my/nodes.parquet")
    assert table.data.column_names == ["id", "x"]
    assert table.words("id").tolist() == ["a", "c"]


def test_csv_and_parquet_give_the_same_numbers_and_words(tmp_path):
    frame = pd.DataFrame({"x": [0.1, 2.0], "about": ["a b", "c"]})
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_parquet(tmp_path / "t.parquet")
    one, other = (read_table(tmp_path / name, name) for name in ("t.csv", "t.parquet"))
    assert one.numbers("x").tolist() == other.numbers("x").tolist()
    assert one.words("about").tolist() == other.words("about").tolist()
