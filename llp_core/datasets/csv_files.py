"""A CSV file as columns of text, and where it stops being one."""

import csv
import itertools
import os
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llp_core.errors import InputError, is_of_the_machine

NO_ROW = "expected at least one row below the header, found none."


def read_csv(path: Path, name: str, most_columns: int) -> Any:
    """A pyarrow Table of a CSV file (UTF-8, commas, a header); every column is text, as it stands there.

    Args:
        path: of the file.
        name: what errors call it.
        most_columns: at most this many are read.

    Raises:
        InputError: the file is empty, not UTF-8, has too many columns, or is a header alone whose line has no end; a
            row has too few or too many values, or a quoted value has no end.
    """
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    try:
        header = next((fields for _, fields in records(path)), None)
        if header is None:
            raise InputError(f"{name}: expected a header line with the names of the columns, found an empty file.")
        if len(header) > most_columns:
            raise InputError(f"{name}, line 1: it has {len(header):,} columns; at most {most_columns:,} are read.")
        if len(header) == 1 and (other := next((mark for mark in ";\t|" if mark in header[0]), None)):
            raise InputError(
                f"{name}, line 1: expected commas between the columns, found {other!r}. Save the file with commas."
            )
        data = arrow_csv.read_csv(
            path,
            parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=False
            ),
        )
    except (pa.ArrowException, UnicodeDecodeError) as error:
        if is_of_the_machine(error):
            raise
        raise _unreadable(path, name, error) from None
    if _may_be_open(path, data) and (line := _open_record(path)) is not None:
        raise _not_closed(name, line)
    return data


def records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The line (from 1) that each record of a CSV file starts at, and its values; empty lines are left out."""
    return ((line, fields) for line, fields in _lines(path) if fields)


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The same with empty lines, and one more of them after the last line."""
    csv.field_size_limit(sys.maxsize)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(itertools.chain(file, [""]))
        line = 1
        for fields in reader:
            yield line, fields
            line = reader.line_num + 1


def _may_be_open(path: Path, data: Any) -> bool:
    """Whether a CSV file ends in a double quote and, after it, the last value of its table.

    Every file does that ends inside a quoted value, for the reader takes such a one as whole; hardly any other does.
    """
    last = data.column(data.num_columns - 1)[-1].as_py() if data.num_rows else ""
    end = b'"' + last.replace('"', '""').encode()
    with path.open("rb") as file:
        file.seek(-min(len(end), path.stat().st_size), os.SEEK_END)
        return file.read() == end


def _open_record(path: Path) -> int | None:
    """The line that the last record of a CSV file starts at, if the file ends inside one of its quoted values."""
    line, fields = deque(_lines(path), maxlen=1).pop()
    # The empty line after the last one is a record of no values, unless it is part of a value.
    return line if fields else None


def _not_closed(name: str, line: int) -> InputError:
    return InputError(
        f"{name}, line {line}: expected a double quote that closes a value of the record that begins here, found the "
        "end of the file. Close the value, or take out the quote that opens it."
    )


def _unreadable(path: Path, name: str, error: Exception) -> InputError:
    """Says where a file stops being what it should be."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as bad:
                found = f"byte {line[bad.start]:#04x} at position {bad.start + 1}"
                return InputError(f"{name}, line {number}: expected UTF-8, found {found}. Save the file as UTF-8.")
    header, number, width, last = 0, 0, 0, _open_record(path)
    for number, fields in records(path):
        if number == last:
            return _not_closed(name, number)
        header, width = header or number, width or len(fields)
        if len(fields) != width:
            return InputError(
                f"{name}, line {number}: expected {width} values, as in the header, found {len(fields)}. "
                "Put a value that holds a comma in double quotes."
            )
    if number == header:  # it alone, and its line has no end
        return InputError(f"{name}: {NO_ROW}")
    return InputError(f"{name}: expected a CSV file, but it cannot be read as one ({error}).")
