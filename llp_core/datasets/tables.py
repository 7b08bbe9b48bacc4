"""A CSV or Parquet file as columns, with errors that name file, column and line."""

import itertools
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from llp_core.datasets.csv_files import NO_ROW, read_csv, records
from llp_core.datasets.values import is_date, is_number, is_text, is_word, parse_dates, parse_numbers
from llp_core.errors import InputError, is_of_the_machine

if TYPE_CHECKING:
    import pandas as pd

MAX_BYTES = 4 * 2**30
MAX_UNPACKED_BYTES = 8 * 2**30
"""Of a Parquet file in memory: a value that repeats takes next to nothing in the file."""
MAX_ROWS = 100_000_000
MAX_COLUMNS = 4096
"""Of one file. A Parquet file says how many it has, and of a CSV file the header is read first; rows of a CSV file are
bounded by `MAX_BYTES`."""
BATCH_ROWS = 4096
"""Of a Parquet file, read at once."""
SUFFIXES = (".csv", ".parquet")


@dataclass(frozen=True)
class Table:
    """The columns of a file.

    Attributes:
        name: what errors call the file: the path that its owner gave.
        path: of the file.
        data: a pyarrow Table; of a CSV file every column is text, as it stands there.
    """

    name: str
    path: Path
    data: Any

    @property
    def rows(self) -> int:
        """How many there are, the header not counted."""
        return int(self.data.num_rows)

    def require(self, column: str, setting: str) -> None:
        """Refuses a column that the file has not got; `setting` is where it was asked for."""
        if column not in self.data.column_names:
            found = ", ".join(repr(name) for name in self.data.column_names[:20])
            raise InputError(
                f"{self.name}, line 1: expected a column {column!r} ({setting}), found {found}. "
                f"Correct {setting} in params.yaml, or the file."
            )

    def problem(self, column: str, row: int, expected: str, found: str, advice: str) -> InputError:
        """An error about one value. Rows count from 0, without the header."""
        return InputError(
            f"{self.name}, column {column!r}, {self.place(row)}: expected {expected}, found {found}. {advice}"
        )

    def place(self, row: int) -> str:
        """Where a row is for the file's owner: the line of a CSV file, the row (from 1) of a Parquet file."""
        starts = records(self.path) if self.path.suffix == ".csv" else ()
        lines = (line for line, _ in starts)
        next(lines, None)  # the header
        line = next(itertools.islice(lines, row, None), None)
        return f"row {row + 1}" if line is None else f"line {line}"

    def words(self, column: str, *, may_be_empty: bool = False) -> "pd.Series[str]":
        """A column as text. Of a Parquet file integers become text too, for ids may be either.

        Args:
            column: its name.
            may_be_empty: whether values may be missing: null, or nothing but blanks. They become "".

        Raises:
            InputError: a value is empty that may not be, or the column holds neither text nor integers.
        """
        import pyarrow as pa

        values = self.data.column(column)
        if not is_word(values.type):
            raise InputError(
                f"{self.name}, column {column!r}: expected text or integers, found type {values.type}. "
                "Convert it; pandas makes whole numbers floats where one is missing: tell it dtype Int64, or leave out "
                "its row."
            )
        words: pd.Series[str] = values.cast(pa.string()).to_pandas().astype("str")
        empty = self.empty(column)
        if not may_be_empty and empty.any():
            row = int(empty.argmax())
            raise self.problem(column, row, "a value", "nothing", "Fill it in, or leave out the row.")
        return words.mask(empty, "")

    def numbers(self, column: str, advice: str = "Correct it.", *, may_be_empty: bool = False) -> NDArray[np.float64]:
        """A column as finite numbers, float64 [rows]; dates are seconds.

        Args:
            column: its name.
            advice: ends the error.
            may_be_empty: whether values may be missing: null, or nothing but blanks. They become NaN.

        Raises:
            InputError: a value is empty that may not be, no number, not finite, or too large for float32; or the
                column is of another type, such as a list.
        """
        values = self.data.column(column)
        if not (is_number(values.type) or is_text(values.type) or is_date(values.type)):
            raise InputError(
                f"{self.name}, column {column!r}: expected numbers or dates, found type {values.type}. Convert it."
            )
        numbers, expected = parse_dates(values), "a date in ISO 8601, as most are"
        if numbers is None:
            numbers, expected = parse_numbers(values), "a finite number"
        bad = ~(np.abs(numbers) <= np.finfo(np.float32).max)
        if bad.any() and may_be_empty:
            bad &= ~self.empty(column)
        if bad.any():
            row = int(bad.argmax())
            value = self.data.column(column)[row].as_py()
            found = "nothing" if self.empty(column)[row] else repr(value)
            raise self.problem(column, row, expected, found, advice)
        return numbers

    def integers(self, column: str) -> NDArray[np.int64]:
        """A column as whole numbers, int64 [rows]; dates are seconds.

        Raises:
            InputError: a value is none.
        """
        numbers = self.numbers(column)
        # From 2^53 on a float64 may be another whole number than the file's.
        bad = np.flatnonzero((numbers != np.rint(numbers)) | (np.abs(numbers) >= 2**53))
        if bad.size:
            row = int(bad[0])
            value = self.data.column(column)[row].as_py()
            raise self.problem(
                column, row, "a whole number below 2^53 (a year, or seconds) or a date", repr(value), "Correct it."
            )
        return numbers.astype(np.int64)

    def empty(self, column: str) -> NDArray[np.bool_]:
        """Which values are missing, bool [rows]: null, or text of nothing but blanks."""
        import pyarrow as pa
        import pyarrow.compute as pc

        values = self.data.column(column)
        missing = pc.is_null(values)
        if is_text(values.type):
            missing = pc.or_kleene(missing, pc.equal(pc.utf8_trim_whitespace(values.cast(pa.large_string())), ""))
        flags: NDArray[np.bool_] = missing.to_numpy()
        return flags


def read_table(path: Path, name: str) -> Table:
    """Reads a CSV file (UTF-8, commas, a header) or a Parquet file.

    Args:
        path: of the file.
        name: what errors call it.

    Raises:
        InputError: the file is missing, empty, too large, not UTF-8, of another kind, a row has too few or too many
            values, a quoted value has no end, or a column has no name of its own.
    """
    import pyarrow as pa

    require_table_file(path, name)
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"{name}: it has {path.stat().st_size:,} bytes; at most {MAX_BYTES:,} are read.")
    try:
        data = _read_parquet(path, name) if path.suffix == ".parquet" else read_csv(path, name, MAX_COLUMNS)
    except (pa.ArrowException, OSError) as error:  # damage inside of a file is an OSError
        if is_of_the_machine(error):
            raise
        raise InputError(f"{name}: expected a Parquet file, but it cannot be read as one ({error}).") from None
    columns = data.column_names
    if nameless := [number for number, column in enumerate(columns, start=1) if not column.strip()]:
        raise InputError(
            f"{name}, line 1: expected a name for each column, found none for column {nameless[0]}. Name it, or take "
            "it out: pandas writes such a column of row numbers unless it is told `index=False`."
        )
    if repeated := sorted(column for column, count in Counter(columns).items() if count > 1):
        raise InputError(f"{name}, line 1: column {repeated[0]!r} occurs more than once. Rename one of them.")
    if data.num_rows == 0:
        raise InputError(f"{name}: {NO_ROW}")
    _require_size(name, data.num_rows, len(columns))
    return Table(name, path, data)


def require_table_file(path: Path, name: str, advice: str = "") -> None:
    """Refuses a file that is not there, or has another extension than `SUFFIXES`; `advice` ends the former error."""
    if path.suffix not in SUFFIXES:
        raise InputError(f"{name}: expected a file that ends in {' or '.join(SUFFIXES)}. Convert it to one of these.")
    if not path.is_file():
        raise InputError(f"{name}: no such file. {advice}".rstrip())


def _require_size(name: str, rows: int, columns: int) -> None:
    if rows > MAX_ROWS or columns > MAX_COLUMNS:
        raise InputError(
            f"{name}: it has {rows:,} rows and {columns:,} columns; at most {MAX_ROWS:,} and {MAX_COLUMNS:,} are read."
        )


def _read_parquet(path: Path, name: str) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        _require_size(name, file.metadata.num_rows, file.metadata.num_columns)
        # pandas keeps numbers of rows there, such as are left of a table whose rows were chosen: they say nothing.
        own = [i for i, name in enumerate(file.schema_arrow.names) if not name.startswith("__index_level_")]
        # Each batch of a column of categories would come with all of them.
        schema = pa.schema([file.schema_arrow.field(i) for i in own])
        for number, field in enumerate(schema):
            if pa.types.is_dictionary(field.type):
                schema = schema.set(number, field.with_type(field.type.value_type))
        batches, unpacked = [], 0
        for batch in file.iter_batches(BATCH_ROWS):
            batches.append(batch.select(own).cast(schema))
            batches[-1].validate(full=True)  # whether text is UTF-8, which the reader takes for granted
            unpacked += batches[-1].nbytes
            if unpacked > MAX_UNPACKED_BYTES:
                raise InputError(
                    f"{name}: its rows take more than {MAX_UNPACKED_BYTES:,} bytes of memory, and no more are read. "
                    "Leave out columns or rows."
                )
        return pa.Table.from_batches(batches, schema)
