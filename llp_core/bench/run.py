"""Runs a benchmark: makes the contestants, times them in turn, and scores them where there is something to score."""

import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import torch

from llp_core.bench.closed_loop import Loadable, closed_loop
from llp_core.bench.products import PRODUCTS, Products
from llp_core.bench.result import Benchmark, BenchRow, Best, Entrant
from llp_core.bench.subject import Subject
from llp_core.config import LatencyParams
from llp_core.contestants import NAMES
from llp_core.errors import InputError, hint
from llp_core.latency import Scorer, Timed, measure, ratio, to_rows
from llp_core.latency.clock import Call
from llp_core.machine import device_name, machine
from llp_core.metrics import hits_at_k
from llp_core.progress import Progress
from llp_core.sampling import generator

REFERENCE, STUDENT, STUDENTS = "GNN", "student", ("student", "student, cached")
RIVALS = ("GNN", "GNN in PyG", "accelerated GNN", "GNN, cached", "heuristic")
"""Families of contestants."""
LOOP_PAIRS = 10
"""In a request of the closed loop, where requests of this size are asked for; else the smallest size."""
_MOST_REQUESTS = 2000
_SCORED_AT_ONCE = 8192


@dataclass(frozen=True)
class BenchOptions:
    """How to measure.

    Attributes:
        latency: sizes of requests, and seconds of a row.
        threads: of the numerics, online and offline.
        device: cpu or cuda.
        names: of the contestants to time.
        seed: of the requests.
        workers: of the closed loop; none for no closed loop.
    """

    latency: LatencyParams
    threads: int
    device: torch.device
    names: tuple[str, ...]
    seed: int
    workers: tuple[int, ...]


def options(
    pairs: Sequence[int], seconds: float, threads: int | None, device: str, names: Sequence[str] | None, seed: int
) -> BenchOptions:
    """Checks what the user asked for; without `threads`, all cores, and without `names`, all contestants.

    Raises:
        InputError: there are not so many cores, there is no GPU, or no contestant of a name.
    """
    for name in names or ():
        if name not in NAMES:
            raise InputError(f"--contestant {name!r}: there is none of that name. {hint(name, NAMES)}")
    cores = machine().cores
    if threads is not None and threads > cores:
        raise InputError(f"--threads {threads}: this process may use {cores} cores. Ask for at most as many.")
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: torch finds no GPU here. Leave it out, or say --device cpu.")
    latency = LatencyParams(pairs=tuple(sorted(set(pairs))), seconds=seconds, max_requests=_MOST_REQUESTS)
    workers = tuple(sorted({1, cores})) if device == "cpu" and hasattr(os, "fork") else ()
    return BenchOptions(latency, threads or cores, torch.device(device), tuple(names or NAMES), seed, workers)


def run_benchmark(source: Loadable, asked: BenchOptions) -> Benchmark:
    """Times the contestants of a subject.

    Raises:
        InputError: the subject cannot be loaded, or none of the contestants can run here.
    """
    subject = source.load(asked.device)
    chosen = list(subject.contestants(asked.threads, asked.names))
    scorers = {one.name: one.scorer for one in chosen if one.scorer is not None}
    if not scorers:
        raise InputError(f"none of {', '.join(one.name for one in chosen)} can run here: {chosen[0].note}")
    rng = generator(asked.seed, "latency")
    timed = _measure(subject, scorers, [one.name for one in chosen if one.exact and one.scorer], asked, rng)
    hits = {name: _hits_at_20(scorer, subject) for name, scorer in scorers.items()}
    entrants = tuple(
        Entrant(one.name, one.family, one.note, one.exact, one.scorer is not None, hits.get(one.name)) for one in chosen
    )
    rows = [row for one in timed for row in _rows(one, entrants)]
    loop_rows, notes = _loops(source, entrants, asked)
    return Benchmark(
        name=subject.name,
        nodes=subject.features.num_nodes,
        edges=subject.graph.neighbors.numel() // 2,
        features=subject.features.width,
        encoder=subject.teacher.spec.encoder,
        layers=subject.teacher.spec.layers,
        hidden=subject.teacher.spec.hidden,
        student_layers=subject.student.spec.layers,
        student_hidden=subject.student.spec.hidden,
        device=device_name(asked.device),
        threads=asked.threads,
        seconds=asked.latency.seconds,
        seed=asked.seed,
        entrants=entrants,
        rows=(*rows, *loop_rows),
        best=tuple(best for one in timed for best in _best(one, entrants)),
        notes=tuple(notes),
        machine=machine(),
    )


def _measure(
    subject: Subject, scorers: dict[str, Scorer], exact: Sequence[str], asked: BenchOptions, rng: torch.Generator
) -> tuple[Timed, ...]:
    def products(regime: Literal["online", "offline"], pairs: int) -> dict[str, Call]:
        return {PRODUCTS: Products(subject.student, subject.features, regime, pairs)}

    num_nodes, pairs = subject.features.num_nodes, subject.offline_pairs
    return measure(scorers, num_nodes, pairs, asked.latency, asked.device, asked.threads, rng, exact, products)


@torch.inference_mode()
def _hits_at_20(scorer: Scorer, subject: Subject) -> float | None:
    """Of its online scores: what its online times buy."""
    if subject.test_edges is None:
        return None
    chunks = torch.split(subject.offline_pairs, _SCORED_AT_ONCE, dim=1)
    scores = torch.cat([scorer.online(chunk) for chunk in chunks]).float().cpu()
    return hits_at_k(scores[: subject.test_edges], scores[subject.test_edges :], 20)


def _rows(timed: Timed, entrants: Sequence[Entrant]) -> Iterator[BenchRow]:
    families = {entrant.name: entrant.family for entrant in entrants}
    hits = {entrant.name: entrant.hits_at_20 for entrant in entrants}
    reference = next((name for name in timed.answers if families.get(name) == REFERENCE), "")
    rows = {row.method: row for row in to_rows(timed, reference)}
    for method, row in rows.items():
        family = families.get(method, PRODUCTS)
        of_gnn = rows[reference].p50_seconds / row.p50_seconds if reference else None
        shared = {name: value for name, value in asdict(row).items() if name in BenchRow.__dataclass_fields__}
        yield BenchRow(
            **shared,
            family=family,
            workers=1,
            per_second=1 / float(timed.answers[method].seconds.mean()),
            faster=None if method == reference else of_gnn,
            limit_share=rows[PRODUCTS].p50_seconds / row.p50_seconds if family == STUDENT else None,
            hits_at_20=hits.get(method),
        )


def _loops(source: Loadable, entrants: Sequence[Entrant], asked: BenchOptions) -> tuple[list[BenchRow], list[str]]:
    """Rows of the closed loop, and notes on what is missing there."""
    if not asked.workers:
        return [], ["Closed loop: left out; its workers are forked, and share a CPU's memory alone."]
    ran = {entrant.name: entrant for entrant in entrants if entrant.ran}
    pairs = LOOP_PAIRS if LOOP_PAIRS in asked.latency.pairs else min(asked.latency.pairs)
    rows, notes = [], []
    with Progress(len(ran) * len(asked.workers), "closed loop") as progress:
        for found in closed_loop(source, ran, pairs, asked.latency.seconds, asked.workers, asked.seed):
            if isinstance(found, str):
                notes.append(f"Closed loop: {found}.")
                continue
            entrant = ran[found.method]
            rows.append(
                BenchRow(
                    **asdict(found),
                    family=entrant.family,
                    regime="closed loop",
                    pairs=pairs,
                    first_seconds=None,
                    hits_at_20=entrant.hits_at_20,
                )
            )
            progress.advance()
    return rows, notes


def _best(timed: Timed, entrants: Sequence[Entrant]) -> Iterator[Best]:
    """The fastest student, and the fastest with cached representations, against the fastest of each other family."""
    seconds = {name: answers.seconds for name, answers in timed.answers.items()}

    def fastest(family: str) -> str | None:
        names = [entrant.name for entrant in entrants if entrant.ran and entrant.family == family]
        return min(names, key=lambda name: float(seconds[name].median()), default=None)

    for student, family in itertools.product(map(fastest, STUDENTS), RIVALS):
        rival = fastest(family)
        if student is not None and rival is not None:
            times = ratio(seconds[rival], seconds[student])
            yield Best(timed.regime, timed.pairs, student, rival, family, times)
