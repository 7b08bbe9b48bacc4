"""A whole benchmark of a subject that takes a moment."""

import multiprocessing
from dataclasses import replace

import pytest
import torch
from bench_source import TinySource

from llp_core.bench.products import PRODUCTS
from llp_core.bench.run import BenchOptions, options, run_benchmark
from llp_core.bench.write import to_text
from llp_core.config import LatencyParams
from llp_core.contestants import NAMES
from llp_core.errors import InputError
from llp_core.machine import machine

ASKED = BenchOptions(
    latency=LatencyParams(pairs=(1, 10), seconds=0.01, max_requests=20),
    threads=1,
    device=torch.device("cpu"),
    names=("full GNN", "int9", "eager", "slow"),
    seed=0,
    workers=(),
)


def test_every_contestant_in_every_regime() -> None:
    found = run_benchmark(TinySource(scored=True), replace(ASKED, workers=(1, 2)))
    assert multiprocessing.active_children() == []
    timed = ["full GNN", "eager", "slow", PRODUCTS]
    assert [(row.regime, row.pairs, row.method) for row in found.rows if row.regime != "closed loop"] == [
        (regime, pairs, method)
        for regime, pairs in (("online", 1), ("online", 10), ("offline", 150))
        for method in timed
    ]
    loops = [(row.method, row.workers, row.pairs) for row in found.of("closed loop")]
    assert loops == [(method, workers, 10) for method in timed[:3] for workers in (1, 2)]
    assert [(one.name, one.ran, one.hits_at_20 is None) for one in found.entrants] == [
        ("full GNN", True, False),
        ("int9", False, True),
        ("eager", True, False),
        ("slow", True, False),
    ]


def test_rows_outlive_a_closed_loop_that_fails() -> None:
    found = run_benchmark(TinySource(), replace(ASKED, names=("mortal", "slow"), workers=(1, 2)))
    assert [row.method for row in found.of("online", 1)] == ["mortal", "slow", PRODUCTS]
    assert [(row.method, row.workers) for row in found.of("closed loop")] == [("slow", 1), ("slow", 2)]
    (note,) = found.notes
    assert note.startswith("Closed loop: mortal: ChildProcessError: a worker ended with code -9;")
    assert note in to_text(found)


def test_what_a_row_holds() -> None:
    found = run_benchmark(TinySource(), ASKED)
    gnn, eager, slow, products = found.of("online", 1)
    assert gnn.faster is None
    assert eager.faster == pytest.approx(gnn.p50_seconds / eager.p50_seconds)
    assert eager.faster_low <= eager.faster <= eager.faster_high
    assert eager.limit_share == pytest.approx(products.p50_seconds / eager.p50_seconds)
    assert (gnn.limit_share, slow.limit_share, eager.hits_at_20) == (None, None, None)
    assert slow.per_second <= 500
    assert found.notes == ("Closed loop: left out; its workers are forked, and share a CPU's memory alone.",)


def test_the_fastest_student_stands_against_each_family() -> None:
    found = run_benchmark(TinySource(), ASKED)
    assert [(one.regime, one.pairs, one.student, one.rival) for one in found.best[:2]] == [
        ("online", 1, "eager", "full GNN"),
        ("online", 1, "eager", "slow"),
    ]
    assert found.best[1].times.low > 1


def test_quality_is_of_online_scores_on_the_test_edges() -> None:
    """The sum of two ids, by hand: the edges above the 20th of a hundred negatives."""
    found = run_benchmark(TinySource(scored=True), replace(ASKED, names=("slow",)))
    sums = TinySource().load(torch.device("cpu")).offline_pairs.sum(0)
    threshold = sorted(sums[50:].tolist(), reverse=True)[19]
    expected = sum(value > threshold for value in sums[:50].tolist()) / 50
    assert found.entrants[0].hits_at_20 == pytest.approx(expected)
    assert 0 < expected < 1
    assert found.best == ()
    assert all(row.faster is None for row in found.rows)


def test_contestants_are_chosen_by_name() -> None:
    found = run_benchmark(TinySource(), replace(ASKED, names=("eager", "int9")))
    assert [entrant.name for entrant in found.entrants] == ["int9", "eager"]


def test_one_that_cannot_run_tells_why() -> None:
    with pytest.raises(InputError, match="none of int9 can run here: no such kernel here"):
        run_benchmark(TinySource(), replace(ASKED, names=("int9",)))


def test_options() -> None:
    cores = machine().cores
    asked = options([10, 1, 10], 2.0, None, "cpu", [], 3)
    assert (asked.latency.pairs, asked.threads, asked.names, asked.seed) == ((1, 10), cores, NAMES, 3)
    assert asked.workers == tuple(sorted({1, cores}))
    with pytest.raises(InputError, match=rf"--threads {cores + 1}: this process may use {cores} cores"):
        options([1], 2.0, cores + 1, "cpu", [], 0)


def test_a_contestant_that_is_not_known() -> None:
    with pytest.raises(InputError, match=r"--contestant 'studnt': there is none of that name. Did you mean student or"):
        options([1], 2.0, 1, "cpu", ["studnt"], 0)
    with pytest.raises(InputError, match=r"There are gnn, .*, resource-allocation\."):
        options([1], 2.0, 1, "cpu", ["zzzzzz"], 0)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_no_gpu() -> None:
    with pytest.raises(InputError, match="--device cuda: torch finds no GPU here"):
        options([1], 2.0, 1, "cuda", [], 0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu() -> None:
    asked = replace(ASKED, device=torch.device("cuda"), names=("full GNN", "eager"))
    found = run_benchmark(TinySource(scored=True), asked)
    assert all(row.memory_mb is not None for row in found.rows)
    assert found.device.startswith("cuda ")
