"""docs/results.md."""

from pathlib import Path

import pytest
from paper_rows import rows_of

from llp_core.errors import InputError
from llp_core.paper.cells import RESULTS, read_rows, write_rows
from llp_core.paper.page import PAGE, PICTURE, markdown, write_page
from llp_core.paper.results import Results

ROOT = Path(__file__).parents[2]


def test_the_committed_page_is_that_of_the_committed_results() -> None:
    assert (ROOT / PAGE).read_text(encoding="utf-8") == markdown(Results(list(read_rows(ROOT / RESULTS).values())))


def test_page_and_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    hits = {"teacher": [0.5, 0.6, 0.7], "label": [0.4, 0.5, 0.7], "llp": [0.3, 0.5, 0.5]}
    write_rows(RESULTS, rows_of("cora", hits) + rows_of("cs", {"llp": [0.5]}))
    write_page()
    text = PAGE.read_text(encoding="utf-8")
    for title in ("Transductive", "Production", "Cold start", "Where it falls short", "Costs"):
        assert f"\n## {title}\n" in text
    assert "30 cells, measured on a processor, 2 cores, PyTorch 2.0 (30 cells)" in text
    assert "0123456+ (30 cells)" in text
    assert "| Production   | cora     | teacher" in text
    assert "(img/results.svg)" in text
    first = PICTURE.read_bytes()
    assert first.startswith(b"<?xml")
    write_page()
    assert PICTURE.read_bytes() == first


def test_before_anything_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="llp run-flow paper"):
        write_page()
    write_rows(RESULTS, [])
    write_page()
    assert "Nothing has been measured yet." in PAGE.read_text(encoding="utf-8")
