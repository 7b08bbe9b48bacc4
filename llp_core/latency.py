"""How long a request takes: the teacher, which must visit the graph, against students, which need none.

Two regimes (`REGIMES` words them for readers):

* online: one request of a few node pairs. The teacher gathers the neighbourhood of the request's nodes
  (`neighborhood`) and computes on it; a student gathers the nodes' own features.
* offline: every node is encoded, then all test pairs are scored.

In both, weights, features and graph lie in the device's memory, and so do the request's node ids, before
the clock starts; it is read again when the scores are complete on the device.
"""

import gc
import itertools
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Literal, Protocol

import torch
from torch import Tensor

from llp_core.config import LatencyParams
from llp_core.graph import CSR
from llp_core.machine import device_name, machine
from llp_core.models import Adjacency, LinkModel, NodeFeatures
from llp_core.names import TEACHER, Setting
from llp_core.neighborhood import neighborhood
from llp_core.progress import Progress
from llp_core.types import LatencyRow, LatencyTable

REGIMES: Mapping[Literal["online", "offline"], str] = {
    "online": "one request of random node pairs, features and graph in memory; the GNN gathers and computes the "
    "neighbourhood of the request's nodes, an MLP gathers their features alone",
    "offline": "every node encoded once, then all test pairs scored",
}


class Scorer(Protocol):
    """A model that is ready to answer: in evaluation mode, its weights, features and graph on the device."""

    def online(self, pairs: Tensor) -> Tensor:
        """float32 [B]: the scores of int64 [2, B], computed from what these pairs need and nothing kept."""

    def offline(self, pairs: Tensor) -> Tensor:
        """float32 [B]: the same scores, after encoding every node of the graph."""


@dataclass(frozen=True, eq=False)
class ModelScorer:
    """A trained model with all that it scores from; a `Scorer`.

    Attributes:
        model: in evaluation mode.
        features: of every node.
        graph: neighbours of every node at inference; None for an MLP.
    """

    model: LinkModel
    features: NodeFeatures
    graph: CSR | None

    def online(self, pairs: Tensor) -> Tensor:
        """See `Scorer`."""
        nodes, local = torch.unique(pairs, return_inverse=True)
        if self.graph is None:
            return self.model.decode(self.model.encode(self.features.rows(nodes)), local)
        part = neighborhood(nodes, self.model.spec.layers, self.graph)
        reach = reversed(part.within[1:])
        adjacencies = [
            Adjacency.from_csr(*block, part.degree[:seen], part.degree.device)
            for block, seen in zip(part.blocks, reach, strict=True)
        ]
        return self.model.decode(self.model.encode(self.features.rows(part.nodes), *adjacencies), local)

    def offline(self, pairs: Tensor) -> Tensor:
        """See `Scorer`."""
        return self.model.score(self.model.encode(self.features, *self._whole), pairs)

    @cached_property
    def _whole(self) -> tuple[Adjacency, ...]:
        if self.graph is None:
            return ()
        return (Adjacency.from_csr(*self.graph, self.graph.degree, self.graph.offsets.device),)


def measure(
    scorers: Mapping[str, Scorer],
    num_nodes: int,
    test_pairs: Tensor,
    params: LatencyParams,
    device: torch.device,
    threads: int,
    setting: Setting,
    generator: torch.Generator,
) -> LatencyTable:
    """Times every scorer in every regime.

    Each request goes to all scorers in turn before the next one is drawn, and another one begins each time, so
    that a drift of the machine or a warm cache favours none. The first request of a row is kept apart.

    Args:
        scorers: by method, the teacher first where there is one.
        num_nodes: online requests are drawn from so many nodes; at least 2.
        test_pairs: int64 [2, T], scored offline.
        params: sizes of requests, and the bounds of a row: it ends with the request in which the slowest scorer
            has spent `seconds`, or after `max_requests`.
        device: where the scorers' tensors lie.
        threads: for the numerics, while this runs.
        setting: whose models these are.
        generator: of the requests, on the CPU.

    Raises:
        ValueError: a scorer gives other scores online than offline, so that its times would mean nothing.
    """
    rows: list[LatencyRow] = []
    with (
        _steady(threads),
        torch.inference_mode(),
        Progress(len(params.pairs) + 1, f"latency, {setting}") as progress,
    ):
        for size in params.pairs:
            requests = _random_requests(num_nodes, size, device, generator)
            online = {method: scorer.online for method, scorer in scorers.items()}
            rows += [_row(*timed, "online", size) for timed in _time(online, requests, params, device).items()]
            progress.advance()
        pairs = test_pairs.to(device)
        offline = {method: scorer.offline for method, scorer in scorers.items()}
        timed_offline = _time(offline, itertools.repeat(pairs), params, device)
        rows += [_row(*timed, "offline", pairs.shape[1]) for timed in timed_offline.items()]
        progress.advance()
        for method, scorer in scorers.items():
            _require_same_scores(method, scorer, pairs[:, : max(params.pairs)])
    return LatencyTable(setting=setting, device=device_name(device), threads=threads, rows=tuple(rows))


@contextmanager
def _steady(threads: int) -> Iterator[None]:
    """So many threads, and no pause of the garbage collector: it would hit whoever runs just then."""
    threads_before, collecting = torch.get_num_threads(), gc.isenabled()
    torch.set_num_threads(threads)
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        torch.set_num_threads(threads_before)
        if collecting:
            gc.enable()


def _random_requests(num_nodes: int, size: int, device: torch.device, generator: torch.Generator) -> Iterator[Tensor]:
    """Endless requests int64 [2, size] of pairs of two different nodes."""
    while True:
        first = torch.randint(num_nodes, (size,), generator=generator)
        step = torch.randint(1, num_nodes, (size,), generator=generator)
        yield torch.stack((first, (first + step) % num_nodes)).to(device)


def _time(
    calls: Mapping[str, Callable[[Tensor], Tensor]],
    requests: Iterator[Tensor],
    params: LatencyParams,
    device: torch.device,
) -> dict[str, list[float]]:
    """Seconds of every request by method, the first one included; at least two."""
    seconds: dict[str, list[float]] = {method: [] for method in calls}
    spent = dict.fromkeys(calls, 0.0)
    methods = list(calls)
    for count, request in enumerate(itertools.islice(requests, params.max_requests + 1)):
        begin = count % len(methods)
        for method in methods[begin:] + methods[:begin]:
            took = _clock(calls[method], request, device)
            seconds[method].append(took)
            spent[method] += took
        if count and max(spent.values()) >= params.seconds:
            break
    return seconds


def _clock(call: Callable[[Tensor], Tensor], pairs: Tensor, device: torch.device) -> float:
    _synchronize(device)
    begin = time.perf_counter()
    call(pairs)
    _synchronize(device)
    return time.perf_counter() - begin


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _row(method: str, seconds: list[float], regime: Literal["online", "offline"], pairs: int) -> LatencyRow:
    first, rest = seconds[0], sorted(seconds[1:])
    return LatencyRow(method, regime, pairs, len(rest), first, percentile(rest, 0.50), percentile(rest, 0.99))


def percentile(ascending: list[float], share: float) -> float:
    """The smallest value that at least `share` (0..1) of all do not exceed (the nearest rank)."""
    return ascending[max(math.ceil(share * len(ascending)) - 1, 0)]


def _require_same_scores(method: str, scorer: Scorer, pairs: Tensor) -> None:
    online, offline = scorer.online(pairs), scorer.offline(pairs)
    if online.shape != offline.shape or not torch.allclose(online, offline, rtol=1e-3, atol=1e-4):
        raise ValueError(f"{method}: its online scores of {pairs.shape[1]} test pairs differ from its offline scores")


def times_faster(table: LatencyTable, row: LatencyRow) -> float | None:
    """The teacher's median time over this row's, in the same regime and size; None where no teacher was timed."""
    try:
        teacher = table.row(TEACHER, row.regime, row.pairs)
    except KeyError:
        return None
    return teacher.p50_seconds / row.p50_seconds


def to_json_line(table: LatencyTable) -> str:
    """The table as one line of JSON, with the machine, its versions and each row's `times_faster`."""
    rows = [{**asdict(row), "times_faster": times_faster(table, row)} for row in table.rows]
    return json.dumps({**asdict(table), "rows": rows, "machine": asdict(machine())}, allow_nan=False)


def to_text(table: LatencyTable) -> str:
    """The table for people, with what each regime measures above it. Times in milliseconds."""
    lines = [f"Latency, {table.setting}: {table.device}, {table.threads} thread{'s' * (table.threads > 1)}"]
    lines += [f"  {regime}: {meaning}" for regime, meaning in REGIMES.items()]
    width = max(len("method"), *(len(row.method) for row in table.rows))
    lines.append(
        f"{'regime':<8}{'pairs':>9}  {'method':<{width}}{'p50 ms':>11}{'p99 ms':>11}{'first ms':>11}{'requests':>10}"
        f"{'faster':>9}"
    )
    for row in table.rows:
        times = "".join(f"{1e3 * value:>11.3f}" for value in (row.p50_seconds, row.p99_seconds, row.first_seconds))
        faster = times_faster(table, row)
        shown = "" if faster is None else f"{faster:.2f}x"
        lines.append(f"{row.regime:<8}{row.pairs:>9}  {row.method:<{width}}{times}{row.requests:>10}{shown:>9}")
    return "\n".join(lines)
