# ruff: noqa: RUF001 (the signs that are shown)
"""What a benchmark looks like: tables, page, rows, a line of JSON."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from llp_core.bench import tables as shown
from llp_core.bench.result import MEANINGS, Benchmark
from llp_core.bench.write import to_json_line, to_text, write_benchmark


def test_the_fastest_student(benchmark: Benchmark) -> None:
    table = shown.best_table(benchmark)
    assert table is not None
    assert table.header == ("regime", "pairs", "student", "p50", "GNN")
    assert table.rows[0] == ("online", "10", "eager", "0.200", "100× (90.0–110) full GNN")


def test_no_student_no_table(benchmark: Benchmark) -> None:
    assert shown.best_table(replace(benchmark, best=())) is None
    assert all(table.rows for table in shown.tables(replace(benchmark, best=())))


def test_latency(benchmark: Benchmark) -> None:
    table = shown.latency_table(benchmark, "online", 10)
    assert table.caption == "Online, 10 pairs a request; milliseconds; 2 threads"
    assert table.header[-2:] == ("share of the limit", "Hits@20, %")
    assert table.rows == (
        ("full GNN", "20.0", "40.0", "60.0", "180", "50", "1,000", "–", "–", "50.0"),
        ("eager", "0.200", "0.400", "0.600", "1.80", "5,000", "1,000", "100×", "25 %", "55.0"),
        ("matrix products", "0.0500", "0.100", "0.150", "0.450", "20,000", "1,000", "400×", "–", "–"),
    )
    assert table.faint == {2}


def test_columns_of_what_there_is(benchmark: Benchmark) -> None:
    rows = tuple(replace(row, hits_at_20=None, memory_mb=1234.5) for row in benchmark.rows)
    table = shown.latency_table(replace(benchmark, rows=rows), "online", 10)
    assert table.header[-2:] == ("share of the limit", "GPU memory, MB")
    assert table.rows[0][-1] == "1,234"


def test_closed_loop(benchmark: Benchmark) -> None:
    table = shown.loop_table(benchmark)
    assert table is not None
    assert table.header[1:] == (
        "requests a second, 1 worker",
        "p99, 1 worker",
        "requests a second, 4 workers",
        "p99, 4 workers",
    )
    assert table.rows == (("eager", "5,000", "0.600", "5,000", "2.40"),)
    assert shown.loop_table(replace(benchmark, rows=benchmark.of("online"))) is None


def test_a_loop_that_failed_is_absent(benchmark: Benchmark) -> None:
    alone = replace(benchmark.of("closed loop")[0], method="full GNN")
    table = shown.loop_table(replace(benchmark, rows=(*benchmark.rows, alone)))
    assert table is not None
    assert table.rows[1] == ("full GNN", "5,000", "0.600", "–", "–")


def test_one_that_did_not_run_is_listed(benchmark: Benchmark) -> None:
    assert shown.entrants_table(benchmark).rows[-1] == (
        "int9",
        "student",
        "approximate",
        "DID NOT RUN: no kernel <here>",
    )


@pytest.mark.parametrize("trained", [True, False])
def test_the_folder(tmp_path: Path, benchmark: Benchmark, trained: bool) -> None:
    if not trained:
        rows = tuple(replace(row, hits_at_20=None) for row in benchmark.rows)
        entrants = tuple(replace(entrant, hits_at_20=None) for entrant in benchmark.entrants)
        benchmark = replace(benchmark, rows=rows, entrants=entrants)
    folder = tmp_path / "found"
    write_benchmark(folder, benchmark)
    write_benchmark(folder, benchmark)  # it takes the place of the first
    pictures = {"quality_latency.svg", "times.svg"} if trained else {"times.svg"}
    files = {path.name for path in folder.iterdir()}
    assert files == {"index.html", "latency.json", "made.json", "rows.parquet"} | pictures

    page = (folder / "index.html").read_text(encoding="utf-8")
    assert page.count("<svg ") == len(pictures)
    assert not re.search(r"(src|href)=\"(?!#|data:)", page)  # nothing from elsewhere
    assert "no kernel &lt;here&gt;" in page
    assert all(meaning.replace("'", "&#39;") in page for meaning in MEANINGS.values())
    assert "Abacus" in page

    rows = pd.read_parquet(folder / "rows.parquet")
    assert rows["method"].tolist() == [row.method for row in benchmark.rows]
    assert rows["p99_seconds"].tolist() == [row.p99_seconds for row in benchmark.rows]
    assert math.isnan(rows["faster"][0])
    assert json.loads((folder / "latency.json").read_text()) == json.loads(to_json_line(benchmark))


def test_json_is_one_line(benchmark: Benchmark) -> None:
    line = to_json_line(benchmark)
    assert "\n" not in line
    read = json.loads(line)
    assert read["rows"][1]["limit_share"] == 0.25
    assert read["best"][0]["times"] == {"value": 100.0, "low": 90.0, "high": 110.0}
    assert read["machine"]["versions"] == {"torch": "9.9"}


def test_text_begins_with_what_was_measured(benchmark: Benchmark) -> None:
    lines = to_text(benchmark).splitlines()
    assert lines[0] == "Latency: tiny, transductive"
    sizes = "60 nodes, 90 edges, 5 features; teacher sage, 2 layers of 8; student 2 layers of 16; "
    assert lines[1].startswith(f"{sizes}cpu Abacus, 2 threads")
    assert any(line.startswith("Closed loop, 10 pairs a request") for line in lines)
    assert [line for line in lines if "no kernel" in line] == ["int9: no kernel <here>"]
