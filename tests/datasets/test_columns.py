from decimal import Decimal
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from llp_core.datasets.columns import FeatureEncoder, guess_kind
from llp_core.datasets.tables import Table
from llp_core.errors import InputError


def table(folder, **columns):
    """A table that looks as if read from a CSV file, where it is text."""
    path = folder / "nodes.csv"
    pd.DataFrame(columns).to_csv(path)
    return Table("nodes.csv", path, pa.table(columns))


class Encoded(NamedTuple):
    """The features of a table by what was learnt from the table itself."""

    matrix: torch.Tensor
    encoder: FeatureEncoder


def encode(table, columns, given, most):
    encoder = FeatureEncoder.fit(table, columns, given, most)
    return Encoded(encoder.apply(table), encoder)


def test_numbers_get_mean_0_and_deviation_1(tmp_path):
    # Mean 2, deviation sqrt(2 / 3) = 0.8165; and mean 20, deviation 10.
    features = encode(table(tmp_path, x=["1", "2", "3"], y=[20.0, 7.7526, 32.2474]), ["x", "y"], {}, 10)
    assert features.matrix.layout == torch.strided
    assert features.matrix.dtype == torch.float32
    expected = torch.tensor([[-1.2247, 0.0], [0.0, -1.2247], [1.2247, 1.2247]])
    torch.testing.assert_close(features.matrix, expected, atol=1e-4, rtol=0)


def test_categories_are_one_hot_in_alphabetical_order(tmp_path):
    features = encode(table(tmp_path, colour=["red", "blue", "red"]), ["colour"], {"colour": "category"}, 10)
    assert features.matrix.layout == torch.sparse_csr
    assert features.matrix.to_dense().tolist() == [[0, 1], [1, 0], [0, 1]]


def test_text_is_tf_idf_with_rows_of_length_1(tmp_path):
    # Each word is in two of the rows, so both weigh the same: 1 / sqrt(2) where they stand together.
    features = encode(table(tmp_path, about=["A b", "a.", "b"]), ["about"], {"about": "text"}, 10)
    assert features.matrix.layout == torch.sparse_csr
    torch.testing.assert_close(features.matrix.to_dense(), torch.tensor([[0.70711, 0.70711], [1, 0], [0, 1]]))


def test_columns_stand_side_by_side_in_the_order_of_the_file(tmp_path):
    columns = {"about": ["a", "b"], "x": [1, 3], "colour": ["red", "blue"], "note": ["p", "q"]}
    kinds = {"about": "text", "colour": "category", "note": "ignore"}
    features = encode(table(tmp_path, **columns), list(columns), kinds, 10)
    assert features.matrix.to_dense().tolist() == [[1, 0, -1, 0, 1], [0, 1, 1, 1, 0]]
    assert features.encoder.kinds == {"about": "text", "x": "number", "colour": "category", "note": "ignore"}


def test_columns_that_say_nothing_are_left_out_and_counted(tmp_path):
    columns = {"x": [1, 3], "same": [2, 2], "colour": ["red", "red"], "nearly": [0.1, 0.1], "about": ["a b", "a b"]}
    features = encode(table(tmp_path, **columns), list(columns), {"colour": "category", "about": "text"}, 10)
    assert features.matrix.tolist() == [[-1], [1]]
    assert features.encoder.constant_columns == 4


def test_the_most_frequent_words_and_categories_stay(tmp_path):
    # In rows: a 3, b 2, c 1; red 2, blue 2, green 1: of equals the first of the alphabet.
    columns = {"about": ["a b b", "a b", "a c", "a", "a"], "colour": ["red", "blue", "red", "blue", "green"]}
    given = {"about": "text", "colour": "category"}
    features = encode(table(tmp_path, **columns), list(columns), given, 2)
    assert features.matrix.shape == (5, 4)
    assert features.encoder.rare_values == 1 + 1
    assert features.matrix.to_dense()[:, 2:].tolist() == [[0, 1], [1, 0], [0, 1], [1, 0], [0, 0]]
    assert features.matrix.to_dense()[2, 1] == 0, "b is not in row 2, and c is left out"


def test_kinds_are_guessed_from_the_values(tmp_path):
    many = [f"word{row} and more" for row in range(20)]
    columns = {
        "numbers": [str(row) for row in range(20)],
        "floats": [row / 2 for row in range(20)],
        "flags": [row % 2 == 0 for row in range(20)],
        "prices": [Decimal(row) / 4 for row in range(20)],
        "two_words": ["low", "high"] * 10,
        "three_words": ["low", "high", "mid", "low"] * 5,
        "text": many,
        "some_numbers": ["1", "x y"] * 10,
    }
    kinds = {column: guess_kind(table(tmp_path, **columns), column) for column in columns}
    assert kinds == {
        "numbers": "number",
        "floats": "number",
        "flags": "number",
        "prices": "number",
        "two_words": "category",
        "three_words": "text",
        "text": "text",
        "some_numbers": "category",
    }


@pytest.mark.parametrize("stray", ["tall", "NaN", "inf", "1O"])
def test_one_stray_word_among_numbers_is_an_error_and_no_category(tmp_path, stray):
    size = table(tmp_path, size=["1", "2", stray, "4"])
    message = f"column 'size', line 4: expected a finite number, found '{stray}'. .* set data.files.columns.size to"
    with pytest.raises(InputError, match=message):
        encode(size, ["size"], {}, 10)


def test_a_stray_word_is_fine_where_the_owner_says_category(tmp_path):
    features = encode(table(tmp_path, size=["1", "2", "tall"]), ["size"], {"size": "category"}, 10)
    assert features.matrix.to_dense().tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_text_in_a_column_set_to_number_is_an_error(tmp_path):
    with pytest.raises(InputError, match="column 'x', line 2: expected a finite number, found 'red'"):
        encode(table(tmp_path, x=["red", "blue"]), ["x"], {"x": "number"}, 10)


@pytest.mark.parametrize(
    "values",
    [["1", "", "3", " ", "2"], [1, None, 3, None, 2], [1.0, None, 3.0, None, 2.0]],
    ids=["csv", "int", "float"],
)
def test_a_gap_among_numbers_counts_as_the_mean_and_has_a_feature_of_its_own(tmp_path, values):
    features = encode(table(tmp_path, x=values), ["x"], {}, 10)
    assert features.matrix.layout == torch.strided
    expected = torch.tensor([[-1.2247, 0], [0, 1], [1.2247, 0], [0, 1], [0, 0]])
    torch.testing.assert_close(features.matrix, expected, atol=1e-4, rtol=0)
    assert features.encoder.told() == "x number (2 empty)"


def test_a_gap_where_none_was_learnt_from_counts_as_the_mean(tmp_path):
    encoder = FeatureEncoder.fit(table(tmp_path, x=["1", "3"]), ["x"], {}, 10)
    assert encoder.apply(table(tmp_path, x=["", "3"])).tolist() == [[0], [1]]


def test_numbers_that_differ_by_their_gaps_alone_say_something(tmp_path):
    features = encode(table(tmp_path, x=["7", "", "7"]), ["x"], {"x": "number"}, 10)
    assert features.matrix.tolist() == [[0, 0], [0, 1], [0, 0]]


def test_a_gap_is_a_category_of_its_own(tmp_path):
    features = encode(table(tmp_path, colour=["red", "", "red", None, " "]), ["colour"], {"colour": "category"}, 10)
    assert features.encoder.columns[0].model_dump()["values"] == ("", "red")
    assert features.matrix.to_dense().tolist() == [[0, 1], [1, 0], [0, 1], [1, 0], [1, 0]]
    assert features.encoder.empty == {"colour": 3}


def test_a_gap_has_no_words(tmp_path):
    features = encode(table(tmp_path, about=["a", "", "b"]), ["about"], {"about": "text"}, 10)
    assert features.matrix.to_dense().tolist() == [[1, 0], [0, 0], [0, 1]]


@pytest.mark.parametrize("kind", [None, "number", "category", "text"])
@pytest.mark.parametrize("values", [["", " "], [None, None]], ids=["csv", "null"])
def test_a_column_of_gaps_says_nothing(tmp_path, kind, values):
    columns = {"x": values, "y": [1, 2]}
    features = encode(table(tmp_path, **columns), list(columns), {"x": kind} if kind else {}, 10)
    assert (features.matrix.tolist(), features.encoder.constant_columns) == ([[-1], [1]], 1)


def test_gaps_do_not_change_the_kind(tmp_path):
    gaps = [""] * 40
    columns = {
        "numbers": ["1", "2", "3", *gaps],
        "few": [*["low", "high"] * 10, *gaps[:23]],
        "text": ["a", "b", "c", *gaps],
    }
    kinds = {column: guess_kind(table(tmp_path, **columns), column) for column in columns}
    assert kinds == {"numbers": "number", "few": "category", "text": "text"}


@pytest.mark.parametrize("values", [["True", "false", " TRUE "], [True, False, True]], ids=["csv", "parquet"])
def test_booleans_are_numbers_however_they_come(tmp_path, values):
    features = encode(table(tmp_path, x=values), ["x"], {}, 10)
    torch.testing.assert_close(features.matrix, torch.tensor([[0.7071], [-1.4142], [0.7071]]), atol=1e-4, rtol=0)


def test_dates_are_numbers(tmp_path):
    days = ["2024-01-01", "", "2024-01-03"]
    features = encode(table(tmp_path, since=days), ["since"], {}, 10)
    assert features.encoder.told() == "since number (1 empty)"
    assert features.matrix.tolist() == [[-1, 0], [0, 1], [1, 0]]


def test_one_stray_word_among_dates_is_an_error_and_no_text(tmp_path):
    days = table(tmp_path, since=["2024-01-01", "2024-01-02", "n/a", "2024-01-04"])
    with pytest.raises(InputError, match=r"line 4: expected a date in ISO 8601, .* found 'n/a'\. Correct it, leave it"):
        encode(days, ["since"], {}, 10)


def test_words_beside_booleans_are_categories(tmp_path):
    words = ["true"] * 12 + ["unknown"] * 10 + ["false"] * 12
    assert guess_kind(table(tmp_path, x=words), "x") == "category"
    assert guess_kind(table(tmp_path, x=[*words[:12], "", *words[22:]]), "x") == "number"


def test_a_gap_among_booleans(tmp_path):
    features = encode(table(tmp_path, x=[True, None, False]), ["x"], {}, 10)
    assert features.matrix.tolist() == [[1, 0], [0, 1], [-1, 0]]


def test_text_without_a_word_is_an_error(tmp_path):
    with pytest.raises(InputError, match="column 'x': expected text, found no letter or digit"):
        encode(table(tmp_path, x=["-", "?"]), ["x"], {"x": "text"}, 10)


def test_a_type_that_is_neither_number_nor_text_is_an_error(tmp_path):
    lists = table(tmp_path, x=[[1], [2]])
    with pytest.raises(InputError, match="column 'x': expected numbers or text, found type list"):
        encode(lists, ["x"], {}, 10)
    assert encode(Table("n", lists.path, pa.table({"x": [[1], [2]], "y": [1, 2]})), ["x", "y"], {"x": "ignore"}, 10)


@pytest.mark.parametrize(
    ("columns", "given"), [({"same": [1, 1]}, {}), ({"x": [1, 2]}, {"x": "ignore"}), ({"id": ["a", "b"]}, None)]
)
def test_a_table_without_a_feature_is_an_error(tmp_path, columns, given):
    with pytest.raises(InputError, match="expected at least one feature column whose values differ, found none"):
        encode(table(tmp_path, **columns), list(columns) if given is not None else [], given or {}, 10)


@given(st.lists(st.floats(-1e38, 1e38), min_size=2, max_size=20))
def test_standardised_numbers_are_finite(tmp_path_factory, numbers):
    ids = list(range(len(numbers)))
    features = encode(table(tmp_path_factory.mktemp("t"), i=ids, x=numbers), ["i", "x"], {}, 10)
    assert torch.isfinite(features.matrix).all()
    assert features.encoder.constant_columns == 2 - features.matrix.shape[1]


@given(st.lists(st.text("ab ", min_size=1).filter(str.strip), min_size=2, max_size=12, unique=True), st.integers(1, 4))
def test_words_stay_sparse_and_within_the_limit(tmp_path_factory, texts, most):
    data = pa.table({"about": texts, "x": list(range(len(texts)))})
    path = tmp_path_factory.mktemp("t") / "nodes.csv"
    features = encode(Table("nodes.csv", path, data), ["about", "x"], {"about": "text"}, most)
    assert features.matrix.layout == torch.sparse_csr
    assert features.matrix.shape[1] <= most + 1
    norms = np.linalg.norm(features.matrix.to_dense()[:, :-1], axis=1)
    assert all(np.isclose(norm, 1, atol=1e-5) or norm == 0 for norm in norms)


COLUMNS = {"about": ["a b", "a", "c a"], "x": ["1", "2", "3"], "colour": ["red", "blue", "red"]}
KINDS = {"about": "text", "colour": "category"}


@pytest.fixture
def encoder(tmp_path):
    return FeatureEncoder.fit(table(tmp_path, **COLUMNS), list(COLUMNS), KINDS, 10)


def test_other_rows_are_encoded_by_what_was_learnt(tmp_path, encoder):
    # a, b and c are in 3, 1 and 1 of 3 rows: weights 1 and 1 + ln 2 = 1.6931.
    # Mean 2, deviation 0.8165; 4 is beyond 3, the greatest of them.
    others = {"colour": ["blue", "blue"], "about": ["B!", "c c a"], "x": ["2", "4"], "more": ["1", "2"]}
    features = encoder.apply(table(tmp_path, **others)).to_dense()
    both = torch.tensor([1.0, 0, 2 * 1.6931])
    expected = torch.tensor([[0.0, 1, 0, 0, 1, 0], [*(both / both.norm()), 1.2247, 1, 0]])
    torch.testing.assert_close(features, expected, atol=1e-4, rtol=0)


def test_gaps_never_seen_say_nothing(tmp_path, encoder):
    others = {"about": ["", "a"], "x": ["", "2"], "colour": ["", "red"]}
    assert encoder.apply(table(tmp_path, **others)).to_dense().tolist() == [[0] * 6, [1, 0, 0, 0, 0, 1]]


def test_words_and_categories_never_seen_are_passed_over(tmp_path, encoder):
    others = {"about": ["new words", "a new"], "x": ["2", "2"], "colour": ["green", "red"]}
    assert encoder.apply(table(tmp_path, **others)).to_dense().tolist() == [[0] * 6, [1, 0, 0, 0, 0, 1]]


def test_a_number_without_bounds_stays_finite(tmp_path, encoder):
    others = {"about": ["a"], "x": ["-3e38"], "colour": ["red"]}
    assert (
        encoder.apply(table(tmp_path, **others)).to_dense()[0, 3]
        == encoder.apply(table(tmp_path, **others | {"x": ["1"]})).to_dense()[0, 3]
    )  # the least that was learnt from


def test_one_number_far_out_leaves_the_others_apart(tmp_path):
    values = [*range(100), 1e9]
    features = encode(table(tmp_path, x=values), ["x"], {}, 10)
    assert features.encoder.far_numbers == 1
    assert features.matrix[-1] == features.matrix[99] == features.matrix.max()
    plain = encode(table(tmp_path, x=[*range(100), 99]), ["x"], {}, 10)
    assert torch.equal(features.matrix, plain.matrix)


def test_rare_ones_among_zeros_are_not_far_out(tmp_path):
    features = encode(table(tmp_path, x=[0] * 98 + [1, 3]), ["x"], {}, 10)
    assert (features.encoder.far_numbers, features.encoder.columns[0].high) == (0, 3)


def test_a_long_tail_is_not_far_out(tmp_path):
    features = encode(table(tmp_path, x=[2.0**power for power in range(20)]), ["x"], {}, 10)
    assert features.encoder.far_numbers == 0


@pytest.mark.parametrize(
    ("others", "message"),
    [
        (
            {"about": ["a"], "x": ["1"]},
            "line 1: expected a column 'colour', which the features were learnt from; found",
        ),
        (
            {"about": ["a"], "x": ["tall"], "colour": ["red"]},
            "column 'x', line 2: expected a finite number, found 'tall'",
        ),
    ],
)
def test_rows_that_do_not_fit_are_told(tmp_path, encoder, others, message):
    with pytest.raises(InputError, match=message):
        encoder.apply(table(tmp_path, **others))


def test_an_encoder_is_read_as_it_was_written(tmp_path, encoder):
    encoder.save(tmp_path / "encoder.json")
    back = FeatureEncoder.load(tmp_path / "encoder.json")
    assert back == encoder
    rows = table(tmp_path, **COLUMNS)
    assert back.apply(rows).to_dense().equal(encoder.apply(rows).to_dense())


@pytest.mark.parametrize("content", ["{}", "[]", '{"columns": [{"kind": "color"}]}'])
def test_a_file_that_is_no_encoder_is_told(tmp_path, content):
    (tmp_path / "encoder.json").write_text(content)
    with pytest.raises(InputError, match=r"encoder\.json: it does not describe how columns become features"):
        FeatureEncoder.load(tmp_path / "encoder.json")
