"""Finished cells on disk."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from paper_rows import row

from llp_core.errors import InputError
from llp_core.paper.cells import cell_path, current_rows, read_cells, read_rows, write_cell, write_rows
from llp_core.paper.plan import Cell, group_of

FIRST = Cell("cora", "production", "llp", 234, 0)
SECOND = Cell("debian", "transductive", "teacher", 235, 1)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    rows = [row(FIRST, 0.25), row(SECOND, 0.5)]
    for one in rows:
        write_cell(tmp_path, one)
    write_rows(tmp_path / "paper.parquet", rows)
    expected = {FIRST: rows[0], SECOND: rows[1]}
    assert read_cells(tmp_path) == expected
    assert read_rows(tmp_path / "paper.parquet") == expected


def test_the_file_is_the_same_whatever_the_order(tmp_path: Path) -> None:
    rows = [row(FIRST, 0.25), row(SECOND, 0.5)]
    write_rows(tmp_path / "one.parquet", rows)
    write_rows(tmp_path / "other.parquet", rows[::-1])
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "other.parquet").read_bytes()
    assert list(read_rows(tmp_path / "one.parquet")) == [SECOND, FIRST]  # as `llp dataset list` has them


def test_cells_of_a_data_set_that_is_not_listed_are_kept(tmp_path: Path) -> None:
    """Such as one that another branch of a project has: data/paper is not in git."""
    rows = [row(Cell(name, "production", "llp", 234, 0), 0.25) for name in ("mine", "debian", "another")]
    write_rows(tmp_path / "paper.parquet", rows)
    assert [cell.dataset for cell in read_rows(tmp_path / "paper.parquet")] == ["debian", "another", "mine"]


def test_no_results_are_no_rows(tmp_path: Path) -> None:
    assert read_cells(tmp_path) == read_rows(tmp_path / "paper.parquet") == {}


def test_a_row_of_other_columns_is_refused(tmp_path: Path) -> None:
    surplus = row(FIRST, 0.25) | {"surplus": 1}
    missing = {name: value for name, value in row(FIRST, 0.25).items() if name != "commit"}
    for wrong, name in ((surplus, "surplus"), (missing, "commit")):
        with pytest.raises(ValueError, match=name):
            write_cell(tmp_path, wrong)
    assert read_cells(tmp_path) == {}


def test_unreadable_results_are_told(tmp_path: Path) -> None:
    (tmp_path / "paper.parquet").write_text("no Parquet")
    with pytest.raises(InputError, match=r"paper\.parquet: not readable"):
        read_rows(tmp_path / "paper.parquet")
    pq.write_table(pa.table({"dataset": [1]}), tmp_path / "paper.parquet")
    with pytest.raises(InputError, match=r"paper\.parquet: not readable"):
        read_rows(tmp_path / "paper.parquet")
    write_cell(tmp_path, row(FIRST, 0.5))
    cell_path(tmp_path, FIRST).write_text("{")
    with pytest.raises(InputError, match="llp-split234-seed0"):
        read_cells(tmp_path)


class TestCurrentRows:
    def test_other_settings_are_left_out(self) -> None:
        committed = {FIRST: row(FIRST, 0.1, settings="former"), SECOND: row(SECOND, 0.2, settings="any")}
        assert current_rows([committed], {group_of(FIRST): "today's"}) == ({SECOND: committed[SECOND]}, {FIRST})

    def test_of_all_seeds(self) -> None:
        """Else cells of different settings would stand in one mean."""
        other_seed = FIRST._replace(seed=7)
        committed = {other_seed: row(other_seed, 0.1, settings="former")}
        assert current_rows([committed], {group_of(FIRST): "today's"}) == ({}, {other_seed})

    def test_the_source_with_todays_settings_counts(self) -> None:
        committed = {FIRST: row(FIRST, 0.1, settings="today's")}
        own = {FIRST: row(FIRST, 0.2, settings="former")}
        assert current_rows([committed, own], {group_of(FIRST): "today's"}) == (committed, set())

    def test_the_last_of_several_counts(self) -> None:
        committed, own = {FIRST: row(FIRST, 0.1)}, {FIRST: row(FIRST, 0.2)}
        assert current_rows([committed, own], {group_of(FIRST): own[FIRST]["settings"]}) == (own, set())

    def test_what_was_kept_before_does_not_replace_what_nobody_asked_for(self) -> None:
        committed = {FIRST: row(FIRST, 0.1, settings="newer")}
        own = {FIRST: row(FIRST, 0.2, settings="former"), SECOND: row(SECOND, 0.3)}
        assert current_rows([committed, own], {}) == (own | committed, set())
