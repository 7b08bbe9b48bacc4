"""Times scorers online and offline.

* online: one request of a few node pairs. A GNN gathers the neighbourhood of the request's nodes (`neighborhood`) and
  computes on it; a student gathers the nodes' own features.
* offline: every node is encoded, then all test pairs are scored.

In both, weights, features and graph lie in the device's memory, and so do the request's node ids, before
the clock starts; it is read again when the scores are complete on the device.
"""

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from llp_core.config import LatencyParams
from llp_core.latency.clock import Answers, Bounds, Call, steady, time_in_rounds
from llp_core.latency.scorers import Scorer
from llp_core.latency.statistics import percentile, ratio
from llp_core.progress import Progress
from llp_core.types import LatencyRow

REGIMES: Mapping[Literal["online", "offline"], str] = {
    "online": "one request of random node pairs, features and graph in memory; the GNN gathers and computes the "
    "neighbourhood of the request's nodes, an MLP gathers their features alone",
    "offline": "every node encoded once, then all test pairs scored",
}
ONLINE_ROUNDS, OFFLINE_ROUNDS = 5, 3
"""At least so many requests of each method and size, after the first two."""


@dataclass(frozen=True, eq=False)
class Timed:
    """All answers of one regime and request size, measured together.

    Attributes:
        regime: a key of `REGIMES`.
        pairs: in a request.
        answers: by method.
    """

    regime: Literal["online", "offline"]
    pairs: int
    answers: Mapping[str, Answers]


def measure(
    scorers: Mapping[str, Scorer],
    num_nodes: int,
    test_pairs: Tensor,
    params: LatencyParams,
    device: torch.device,
    threads: int,
    rng: torch.Generator,
    exact: Collection[str] | None = None,
    products: Callable[[Literal["online", "offline"], int], Mapping[str, Call]] = lambda _regime, _pairs: {},
) -> tuple[Timed, ...]:
    """Times every scorer in every regime (see `time_in_rounds` for who answers what when).

    Args:
        scorers: by method.
        num_nodes: online requests are drawn from so many nodes; at least 2.
        test_pairs: int64 [2, T], scored offline.
        params: sizes of requests, and the bounds of a row: rounds end when the slowest scorer has spent `seconds`, but
            for `ONLINE_ROUNDS` or `OFFLINE_ROUNDS` that there are at least.
        device: where the scorers' tensors lie.
        threads: for the numerics, while this runs.
        rng: of the requests, on the CPU.
        exact: methods whose online scores must be their offline scores; all by default.
        products: what else to time in turn with the scorers, of a regime and request size.

    Raises:
        ValueError: an exact scorer gives other scores online than offline, so that its times would mean nothing.
    """
    timed = []
    pairs = test_pairs.to(device)
    with steady(threads), torch.inference_mode(), Progress(len(params.pairs) + 1, "latency") as progress:
        bounds = Bounds(params.seconds, ONLINE_ROUNDS, params.max_requests)
        for size in params.pairs:
            online = {**{method: scorer.online for method, scorer in scorers.items()}, **products("online", size)}
            requests = random_requests(num_nodes, size, device, rng)
            timed.append(Timed("online", size, time_in_rounds(online, requests, bounds, device)))
            progress.advance()
        bounds = Bounds(params.seconds, OFFLINE_ROUNDS, params.max_requests)
        count = pairs.shape[1]
        offline = {**{method: scorer.offline for method, scorer in scorers.items()}, **products("offline", count)}
        timed.append(Timed("offline", count, time_in_rounds(offline, itertools.repeat(pairs), bounds, device)))
        progress.advance()
        for method in scorers if exact is None else exact:
            _require_same_scores(method, scorers[method], pairs[:, : max(params.pairs)])
    return tuple(timed)


def to_rows(timed: Timed, reference: str) -> Iterator[LatencyRow]:
    """A row for each method.

    Args:
        timed: one regime and size.
        reference: the method that the others are compared with; a table without it has no ratios.
    """
    against = timed.answers.get(reference)
    for method, answers in timed.answers.items():
        low = high = None
        if against is not None and method != reference:
            _, low, high = ratio(against.seconds, answers.seconds)
        ascending = answers.seconds.flatten().sort().values
        yield LatencyRow(
            method=method,
            regime=timed.regime,
            pairs=timed.pairs,
            requests=ascending.numel(),
            first_seconds=answers.first,
            p50_seconds=percentile(ascending, 0.50),
            p95_seconds=percentile(ascending, 0.95),
            p99_seconds=percentile(ascending, 0.99),
            faster_low=low,
            faster_high=high,
            memory_mb=answers.memory_mb,
        )


def random_requests(num_nodes: int, size: int, device: torch.device, rng: torch.Generator) -> Iterator[Tensor]:
    """Endless requests int64 [2, size] of pairs of two different nodes."""
    while True:
        first = torch.randint(num_nodes, (size,), generator=rng)
        step = torch.randint(1, num_nodes, (size,), generator=rng)
        yield torch.stack((first, (first + step) % num_nodes)).to(device)


def _require_same_scores(method: str, scorer: Scorer, pairs: Tensor) -> None:
    online, offline = scorer.online(pairs), scorer.offline(pairs)
    if online.shape != offline.shape or not torch.allclose(online, offline, rtol=1e-3, atol=1e-4):
        raise ValueError(f"{method}: its online scores of {pairs.shape[1]} test pairs differ from its offline scores")
