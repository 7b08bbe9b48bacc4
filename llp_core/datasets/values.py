"""What the values of a column are: numbers, booleans and dates, as types of Parquet and as words of CSV."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

_DATE = r"\s*\d{4}-\d{2}-\d{2}(?!\d)"
"""How a date or a time in ISO 8601 begins."""
_GLANCE = 100
"""Values that are looked at before all are."""


def is_text(kind: Any) -> bool:
    """Whether a pyarrow type holds text, or nothing at all."""
    from pyarrow import types

    is_string = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
    return bool(is_string or types.is_null(kind))


def is_word(kind: Any) -> bool:
    """Whether values of a pyarrow type can be words: text, or integers as ids and categories are."""
    import pyarrow as pa

    return is_text(kind) or bool(pa.types.is_integer(kind))


def is_number(kind: Any) -> bool:
    """Whether a pyarrow type holds numbers, or booleans, which count as 1 and 0."""
    from pyarrow import types

    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) or types.is_boolean(kind))


def parse_numbers(values: Any) -> NDArray[np.float64]:
    """A pyarrow column as float64 [rows]; NaN where a value is no number. Booleans, in words too, are 1 and 0."""
    numbers: NDArray[np.float64] = to_numbers(values.to_pandas()).to_numpy(dtype=np.float64)
    return numbers


def to_numbers(values: "pd.Series[Any]") -> "pd.Series[Any]":
    """A column of pandas as its numbers, int64 if all are whole and none is missing; NaN where a value is no number."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(values):
        return values
    values = values.astype(object)  # else to_numeric would give numbers of pandas' own, that have another NaN
    numbers = pd.to_numeric(values, errors="coerce")
    other = numbers.isna()
    if not other.any():
        return numbers
    booleans = values[other].astype("str").str.strip().str.lower().map({"true": 1, "false": 0})
    return numbers.where(~other, booleans)


def is_date(kind: Any) -> bool:
    """Whether a pyarrow type holds dates or moments."""
    from pyarrow import types

    return bool(types.is_timestamp(kind) or types.is_date(kind))


def parse_dates(values: Any) -> "NDArray[np.float64] | None":
    """A pyarrow column of dates as whole seconds since 1970 in UTC, float64 [rows]; NaN where a value is none.

    None unless more than half of the values that are there are dates: of a type of dates, or ISO 8601 in words. Without
    a zone it is UTC.
    """
    import pandas as pd

    if is_date(values.type):
        dates = pd.to_datetime(values.to_pandas(), utc=True)
    elif is_text(values.type):
        series = values.to_pandas()
        filled = series.notna() & (series.str.strip() != "")
        if not series[filled].head(_GLANCE).str.match(_DATE).any():
            return None  # at a glance, as hardly any text is of dates
        dates = pd.to_datetime(
            series.where(filled & series.str.match(_DATE)), format="ISO8601", utc=True, errors="coerce"
        )
        if dates.notna().sum() <= filled.sum() / 2:
            return None
    else:
        return None
    seconds: NDArray[np.float64] = np.floor((dates - pd.Timestamp(0, tz="UTC")).dt.total_seconds().to_numpy())
    return seconds
