"""Feature columns of one's own nodes file: numbers standardised, categories one-hot, text TF-IDF."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from llp_core.datasets.sparse import csr_tensor
from llp_core.datasets.tables import Table, is_text, parse_numbers
from llp_core.errors import InputError

Kind = Literal["number", "category", "text", "ignore"]

MOSTLY_NUMBERS = 0.5
"""A column of which more than this share are numbers is one of numbers: a stray word in it is an error."""
ROWS_PER_CATEGORY = 10
"""A column is of categories if its values repeat at least this often on average."""


@dataclass(frozen=True)
class Features:
    """The features of all nodes.

    Attributes:
        matrix: float32 [N, F]; `sparse_csr` where a column is category or text.
        kinds: how each column was read.
        constant_columns: columns with the same value everywhere, left out.
        rare_values: words and categories beyond `max_words`, left out.
    """

    matrix: Tensor
    kinds: Mapping[str, Kind]
    constant_columns: int
    rare_values: int


def encode(table: Table, columns: list[str], given: Mapping[str, Kind], max_words: int) -> Features:
    """Features of the columns of a table. Means, deviations and word frequencies are taken over all rows.

    Args:
        table: of the nodes.
        columns: names of those that are features.
        given: kinds that are not to be guessed.
        max_words: at most this many words or categories of one column.

    Raises:
        InputError: a value does not fit the kind of its column, or no column says anything.
    """
    from scipy import sparse

    kinds: dict[str, Kind] = {column: given.get(column) or guess_kind(table, column) for column in columns}
    used = [column for column in columns if kinds[column] != "ignore"]
    parts = [_encode(table, column, kinds[column], max_words) for column in used]
    told = [part.values for part in parts if part.values is not None]
    if not told:
        raise InputError(
            f"{table.name}: expected at least one feature column whose values differ, found none among "
            f"{', '.join(map(repr, columns)) or 'no columns'}. A model that needs no graph needs features."
        )
    is_sparse = any(sparse.issparse(values) for values in told)
    return Features(
        matrix=csr_tensor(sparse.hstack(told)) if is_sparse else torch.from_numpy(np.hstack(told)),
        kinds=kinds,
        constant_columns=len(parts) - len(told),
        rare_values=sum(part.rare_values for part in parts),
    )


def guess_kind(table: Table, column: str) -> Kind:
    """What a column most likely holds: numbers, or few values that repeat, or else text."""
    import pyarrow as pa

    values = table.data.column(column)
    if pa.types.is_boolean(values.type) or pa.types.is_integer(values.type) or pa.types.is_floating(values.type):
        return "number"
    if not is_text(values.type):
        raise InputError(
            f"{table.name}, column {column!r}: expected numbers or text, found type {values.type}. "
            f"Convert it, or set data.files.columns.{column} to ignore."
        )
    words = table.words(column)
    not_a_number = words.str.strip().str.lower().isin(["nan", "+nan", "-nan"]).to_numpy()
    if (~np.isnan(parse_numbers(values)) | not_a_number).mean() > MOSTLY_NUMBERS:
        return "number"
    return "category" if words.nunique() * ROWS_PER_CATEGORY <= table.rows else "text"


class _Part(NamedTuple):
    """The features of one column: float32 [N, F] or sparse, None where all rows are the same; what was left out."""

    values: Any
    rare_values: int = 0


def _encode(table: Table, column: str, kind: Kind, max_words: int) -> _Part:
    if kind == "number":
        advice = f"Correct it, or set data.files.columns.{column} to category, text or ignore."
        return _Part(_standardized(table.numbers(column, advice)))
    counts = _one_hot(table, column) if kind == "category" else _word_counts(table, column)
    if kind == "category" and counts.shape[1] == 1:
        return _Part(None)
    common = _most_common(counts, max_words)
    return _Part(common if kind == "category" else _tf_idf(common), counts.shape[1] - common.shape[1])


def _standardized(numbers: NDArray[np.float64]) -> NDArray[np.float32] | None:
    """Mean 0 and deviation 1, [N, 1], or None where all are the same."""
    deviation = numbers.std()
    if deviation == 0 or numbers.min() == numbers.max():
        return None
    values: NDArray[np.float32] = ((numbers - numbers.mean()) / deviation).astype(np.float32)
    return values[:, np.newaxis]


def _one_hot(table: Table, column: str) -> Any:
    """Sparse [N, values], columns in alphabetical order."""
    import pandas as pd
    from scipy import sparse

    codes, values = pd.factorize(table.words(column), sort=True)
    return sparse.csr_array((np.ones(table.rows), codes, np.arange(table.rows + 1)), shape=(table.rows, len(values)))


def _word_counts(table: Table, column: str) -> Any:
    """Sparse [N, words], columns in alphabetical order."""
    from sklearn.feature_extraction.text import CountVectorizer

    try:
        counts = CountVectorizer(analyzer=_words, dtype=np.float64).fit_transform(table.words(column))
    except ValueError:
        raise InputError(
            f"{table.name}, column {column!r}: expected text, found no letter or digit in any row. "
            f"Set data.files.columns.{column} to category or ignore."
        ) from None
    return counts


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _most_common(counts: Any, most: int) -> Any:
    """The columns that the most rows have; of equals the first."""
    rows_with = np.bincount(counts.indices, minlength=counts.shape[1])
    return counts[:, np.sort(np.argsort(-rows_with, kind="stable")[:most])]


def _tf_idf(counts: Any) -> Any:
    from sklearn.feature_extraction.text import TfidfTransformer

    return TfidfTransformer().fit_transform(counts)
