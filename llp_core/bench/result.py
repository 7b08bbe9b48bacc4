"""What a benchmark found."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from llp_core.bench.products import PRODUCTS
from llp_core.latency import REGIMES, Interval
from llp_core.machine import Machine

Regime = Literal["online", "offline", "closed loop"]

MEANINGS: Mapping[str, str] = {
    **{str(regime): meaning for regime, meaning in REGIMES.items()},
    "closed loop": "workers that each send the next request as soon as the last one is answered, each a process of "
    "one thread, all in the memory of one copy of the graph; requests a second of all of them together. Each worker "
    "repeats 256 requests, whose rows stay in the cache, which favours students (docs/latency.md)",
    PRODUCTS: "the float32 matrix products alone that the student needs for the request, of the same sizes, timed in "
    "turn with the others; a student's share is their median over its own. Above 100 % it is faster than "
    "float32 products, as bfloat16 and int8 may be, or needs fewer calls",
}
"""What is timed, in words."""


@dataclass(frozen=True)
class Entrant:
    """A contestant, whether or not it could run.

    Attributes:
        name, family: as it calls itself.
        note: what a reader should know of it, or why it did not run.
        exact: whether its scores are those of the model it stands for.
        ran: whether it was timed.
        hits_at_20: share, of its online scores on the test edges; None where there are none.
    """

    name: str
    family: str
    note: str
    exact: bool
    ran: bool
    hits_at_20: float | None


@dataclass(frozen=True)
class BenchRow:
    """One contestant in one regime with requests of one size. Times are seconds of one request.

    Attributes:
        method, family: the contestant, or `PRODUCTS`.
        regime: a key of `MEANINGS`.
        pairs: in a request.
        workers: that asked at once.
        requests: how many were timed, after the first.
        first_seconds: the first request of this size, kept apart; None in a closed loop.
        p50_seconds, p95_seconds, p99_seconds: of the rest.
        per_second: requests, of all workers together.
        faster, faster_low, faster_high: how many times faster than the full GNN by medians, and the 95 % interval.
        limit_share: time of the matrix products over this row's, by medians; of students alone.
        hits_at_20: share.
        memory_mb: the most that tensors took on a GPU, in 2**20 bytes.
    """

    method: str
    family: str
    regime: Regime
    pairs: int
    workers: int
    requests: int
    first_seconds: float | None
    p50_seconds: float
    p95_seconds: float
    p99_seconds: float
    per_second: float
    faster: float | None = None
    faster_low: float | None = None
    faster_high: float | None = None
    limit_share: float | None = None
    hits_at_20: float | None = None
    memory_mb: float | None = None


@dataclass(frozen=True)
class Best:
    """The fastest student against the fastest of another family, with requests of one size.

    Attributes:
        regime, pairs: of the requests.
        student, rival: the fastest of their families by median.
        rival_family: whose fastest.
        times: how many times faster the student is, with its interval.
    """

    regime: Regime
    pairs: int
    student: str
    rival: str
    rival_family: str
    times: Interval


@dataclass(frozen=True)
class Benchmark:
    """A whole run.

    Attributes:
        name: of graph and models.
        nodes, edges, features: of the graph; edges undirected.
        encoder, layers, hidden: of the teacher.
        student_layers, student_hidden: of the student, an MLP; with several members as wide as all of them.
        device: its kind and model.
        threads: of the numerics, online and offline.
        seconds: that the slowest method of a request size may take, beside the least number of rounds.
        seed: of the requests.
        entrants: all contestants, in order.
        rows: of those that ran, and of the matrix products.
        best: the fastest student against the others.
        notes: what was left out, and why.
        machine: with versions.
    """

    name: str
    nodes: int
    edges: int
    features: int
    encoder: str
    layers: int
    hidden: int
    student_layers: int
    student_hidden: int
    device: str
    threads: int
    seconds: float
    seed: int
    entrants: tuple[Entrant, ...]
    rows: tuple[BenchRow, ...]
    best: tuple[Best, ...]
    notes: tuple[str, ...]
    machine: Machine

    def of(self, regime: Regime, pairs: int | None = None) -> tuple[BenchRow, ...]:
        """The rows of a regime, of one request size where it has several."""
        return tuple(row for row in self.rows if row.regime == regime and pairs in (None, row.pairs))

    @property
    def sizes(self) -> tuple[int, ...]:
        """Of online requests, ascending."""
        return tuple(sorted({row.pairs for row in self.of("online")}))

    def to_json(self) -> dict[str, Any]:
        """As a program reads it."""
        return {**asdict(self), "best": [{**asdict(one), "times": one.times._asdict()} for one in self.best]}
