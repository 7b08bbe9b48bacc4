"""Feature columns of one's own nodes file: numbers standardised, categories one-hot, text TF-IDF.

An encoder learns from one table and may be applied to another: a model that was trained on the nodes of yesterday
takes those of today as it takes its own.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from llp_core.datasets.sparse import csr_tensor
from llp_core.datasets.tables import Table
from llp_core.datasets.values import is_number, is_text, is_word, parse_dates, parse_numbers
from llp_core.errors import InputError
from llp_core.store import read_json, write_json

Kind = Literal["number", "category", "text", "ignore"]
WORDS: tuple[Kind, ...] = ("category", "text")  # the values are text

MOSTLY_NUMBERS = 0.5
"""A column of which more than this share are numbers is one of numbers: a stray word in it is an error."""
ROWS_PER_CATEGORY = 10
"""A column is of categories if its values repeat at least this often on average."""
FARTHEST = 10
"""A number that lies so many times as far from its column's median as 99 % of those that differ from it counts as the
next one within: a slip of the pen must not make all other rows alike."""
_LARGEST = float(np.finfo(np.float32).max)


class _Column(BaseModel):
    """How one column becomes features."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str


class NumberColumn(_Column):
    """One feature: the number, with mean 0 and deviation 1 in the table that was learnt from. A gap counts as the mean.

    Attributes:
        low: what lesser numbers count as, the least one that was learnt from.
        high: what greater numbers count as, the greatest one that was learnt from.
        gaps: whether there were gaps in that table; then a second feature is 1 where one is.
    """

    kind: Literal["number"] = "number"
    mean: float
    deviation: Annotated[float, Field(gt=0)]
    low: float = -_LARGEST
    high: float = _LARGEST
    gaps: bool = False

    @classmethod
    def fit(cls, table: Table, name: str) -> tuple[Self | None, int]:
        """Learns from all rows, and counts what lies too far out; None where all rows are the same."""
        numbers = table.numbers(name, _advice(table, name), may_be_empty=True)
        known = numbers[~np.isnan(numbers)]
        if known.size == 0:
            return None, 0
        low, high = _bounds(known)
        kept = known.clip(low, high)
        deviation, gaps = float(kept.std()), known.size < numbers.size
        if deviation == 0 or low == high:
            if not gaps:
                return None, 0
            deviation = 1.0  # whether there is a number says something
        column = cls(name=name, mean=float(kept.mean()), deviation=deviation, low=low, high=high, gaps=gaps)
        return column, int((kept != known).sum())

    def apply(self, table: Table) -> NDArray[np.float32]:
        """[N, 1], or [N, 2] with the gaps."""
        advice = "Correct it: the column was learnt from as one of numbers."
        numbers = table.numbers(self.name, advice, may_be_empty=True)
        missing = np.isnan(numbers)
        values = np.where(missing, 0, (numbers.clip(self.low, self.high) - self.mean) / self.deviation)
        return np.stack((values, missing) if self.gaps else (values,), axis=1).astype(np.float32)


class CategoryColumn(_Column):
    """A feature for each value, 1 where it stands. Other values have none. A gap is a value of its own."""

    kind: Literal["category"] = "category"
    values: tuple[str, ...]

    @classmethod
    def fit(cls, table: Table, name: str, most: int) -> tuple[Self | None, int]:
        """Learns the values that the most rows have, and how many it leaves out; None where all rows are the same."""
        import pandas as pd

        codes, values = pd.factorize(table.words(name, may_be_empty=True), sort=True)
        if len(values) == 1:
            return None, 0
        common = _most_common(np.bincount(codes, minlength=len(values)), most)
        return cls(name=name, values=tuple(str(values[code]) for code in common)), len(values) - common.size

    def apply(self, table: Table) -> Any:
        """Sparse [N, values]."""
        import pandas as pd
        from scipy import sparse

        codes = pd.Index(self.values).get_indexer(table.words(self.name, may_be_empty=True))
        known = codes >= 0
        rows = np.concatenate(([0], known.cumsum()))
        return sparse.csr_array((np.ones(known.sum()), codes[known], rows), shape=(table.rows, len(self.values)))


class TextColumn(_Column):
    """A feature for each word: its count times its weight, each row scaled to length 1. Other words and gaps have none.

    Attributes:
        words: in alphabetical order.
        idf: weight of each word: 1 + ln((1 + rows) / (1 + rows with the word)).
    """

    kind: Literal["text"] = "text"
    words: tuple[str, ...]
    idf: tuple[float, ...]

    @classmethod
    def fit(cls, table: Table, name: str, most: int) -> tuple[Self | None, int]:
        """Learns the words that the most rows have, and how many it leaves out; None where all rows are the same."""
        from sklearn.feature_extraction.text import CountVectorizer

        texts = table.words(name, may_be_empty=True)
        if (texts == texts[0]).all():
            return None, 0
        vectorizer = CountVectorizer(analyzer=words_of, dtype=np.float64)
        try:
            counts = vectorizer.fit_transform(texts)
        except ValueError:
            raise InputError(
                f"{table.name}, column {name!r}: expected text, found no letter or digit in any row. "
                f"Set data.files.columns.{name} to category or ignore."
            ) from None
        words, rows_with = vectorizer.get_feature_names_out(), np.bincount(counts.indices, minlength=counts.shape[1])
        common = _most_common(rows_with, most)
        idf = np.log((1 + table.rows) / (1.0 + rows_with[common])) + 1
        return cls(name=name, words=tuple(words[common].tolist()), idf=tuple(idf.tolist())), words.size - common.size

    def apply(self, table: Table) -> Any:
        """Sparse [N, words]."""
        from sklearn.feature_extraction.text import CountVectorizer
        from sklearn.preprocessing import normalize

        vectorizer = CountVectorizer(analyzer=words_of, vocabulary=self.words, dtype=np.float64)
        counts = vectorizer.transform(table.words(self.name, may_be_empty=True))
        counts.data *= np.array(self.idf)[counts.indices]
        return normalize(counts, norm="l2", copy=False)


Column = NumberColumn | CategoryColumn | TextColumn


class FeatureEncoder(BaseModel):
    """How the columns of a table of nodes become features. All of it is plain data.

    Attributes:
        kinds: how each column of the table that was learnt from was read.
        columns: those that are features, in the order of the table.
        constant_columns: how many had the same value everywhere, and were left out.
        rare_values: how many words and categories beyond `max_words` were left out.
        far_numbers: how many numbers lay too far from the others of their column, and count as nearer ones.
        empty: how many values were missing in each column that is a feature and had such.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kinds: Mapping[str, Kind]
    columns: tuple[Annotated[Column, Field(discriminator="kind")], ...]
    constant_columns: int
    rare_values: int
    far_numbers: int = 0
    empty: Mapping[str, int] = {}

    @classmethod
    def fit(cls, table: Table, columns: list[str], given: Mapping[str, Kind], max_words: int) -> Self:
        """Learns means, deviations, categories, words and their frequencies from all rows.

        Args:
            table: of the nodes.
            columns: names of those that are features.
            given: kinds that are not to be guessed.
            max_words: at most this many words or categories of one column.

        Raises:
            InputError: a value does not fit the kind of its column, or no column says anything.
        """
        kinds: dict[str, Kind] = {column: given.get(column) or guess_kind(table, column) for column in columns}
        fitted = [_fit(table, name, kind, max_words) for name, kind in kinds.items() if kind != "ignore"]
        told = tuple(column for column, _ in fitted if column is not None)
        if not told:
            raise InputError(
                f"{table.name}: expected at least one feature column whose values differ, found none among "
                f"{', '.join(map(repr, columns)) or 'no columns'}. A model that needs no graph needs features."
            )
        far = sum(count for column, count in fitted if isinstance(column, NumberColumn))
        rare = sum(count for _, count in fitted) - far
        empty = {column.name: count for column in told if (count := int(table.empty(column.name).sum()))}
        constant = len(fitted) - len(told)
        return cls(kinds=kinds, columns=told, constant_columns=constant, rare_values=rare, far_numbers=far, empty=empty)

    def apply(self, table: Table) -> Tensor:
        """Features of the rows of a table, float32 [N, F]; `sparse_csr` where a column is category or text.

        Words and categories that are not known are passed over.

        Raises:
            InputError: a column is missing, or a value does not fit the kind of its column.
        """
        from scipy import sparse

        missing = [column.name for column in self.columns if column.name not in table.data.column_names]
        if missing:
            raise InputError(
                f"{table.name}, line 1: expected a column {missing[0]!r}, which the features were learnt from; found "
                f"{', '.join(map(repr, table.data.column_names[:20]))}."
            )
        parts = [column.apply(table) for column in self.columns]
        is_sparse = any(sparse.issparse(values) for values in parts)
        return csr_tensor(sparse.hstack(parts)) if is_sparse else torch.from_numpy(np.hstack(parts))

    def told(self) -> str:
        """How each column was read, in words."""
        gaps = {name: f" ({count:,} empty)" for name, count in self.empty.items()}
        return ", ".join(f"{name} {kind}{gaps.get(name, '')}" for name, kind in self.kinds.items())

    def save(self, path: Path) -> None:
        """Writes it as JSON."""
        write_json(path, self.model_dump(mode="json"))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads what `save` wrote.

        Raises:
            InputError: the file is missing or holds something else.
        """
        try:
            return cls.model_validate(read_json(path))
        except ValidationError as error:
            raise InputError(f"{path}: it does not describe how columns become features: {error}") from None


def guess_kind(table: Table, column: str) -> Kind:
    """What a column most likely holds: numbers, or few values that repeat, or else text."""
    values = table.data.column(column)
    if is_number(values.type) or parse_dates(values) is not None:
        return "number"
    if not is_text(values.type):
        raise InputError(
            f"{table.name}, column {column!r}: expected numbers or text, found type {values.type}. "
            f"Convert it, a list to a column for each number, or set data.files.columns.{column} to ignore."
        )
    filled = ~table.empty(column)
    words = table.words(column, may_be_empty=True)[filled]
    lower, numbers = words.str.strip().str.lower(), ~np.isnan(parse_numbers(values)[filled])
    mostly = numbers & ~lower.isin(["true", "false"]) | lower.isin(["nan", "+nan", "-nan"])
    if (words.size and numbers.all()) or mostly.sum() > MOSTLY_NUMBERS * words.size:
        return "number"
    return "category" if words.nunique() * ROWS_PER_CATEGORY <= words.size else "text"


def _fit(table: Table, name: str, kind: Kind, max_words: int) -> tuple[Column | None, int]:
    if kind == "number":
        return NumberColumn.fit(table, name)
    return (CategoryColumn if kind == "category" else TextColumn).fit(table, name, max_words)


def _bounds(numbers: NDArray[np.float64]) -> tuple[float, float]:
    """The least and the greatest of the numbers that do not lie too far out."""
    middle = np.median(numbers)
    distances = np.abs(numbers - middle)
    usual = np.quantile(distances[distances > 0], 0.99, method="lower") if distances.any() else 0.0
    near = numbers[distances <= FARTHEST * usual]
    return float(near.min()), float(near.max())


def _advice(table: Table, column: str) -> str:
    others = "category, text or ignore" if is_word(table.data.column(column).type) else "ignore"
    return f"Correct it, leave it empty if it is not known, or set data.files.columns.{column} to {others}."


def words_of(text: str) -> list[str]:
    """The words of a text, in lower case: runs of letters, digits and underscores."""
    return re.findall(r"\w+", text.lower())


def _most_common(rows_with: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Numbers, ascending, of the values that the most rows have; of equals the first."""
    common: NDArray[np.int64] = np.sort(np.argsort(-rows_with, kind="stable")[:most])
    return common
