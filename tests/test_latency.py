"""The neighbourhood of a request decides its scores; every scorer gets the same requests, in turn."""

import gc
import itertools
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from llp_core.config import LatencyParams
from llp_core.contestants.gnn import GraphScorer
from llp_core.contestants.torch_student import TorchStudent
from llp_core.graph import CSR, csr
from llp_core.latency import (
    Scorer,
    Timed,
    measure,
    percentile,
    ratio,
    times_faster,
    to_json_line,
    to_rows,
    to_text,
)
from llp_core.latency.clock import Answers, Bounds, time_in_rounds
from llp_core.machine import machine
from llp_core.models import LinkModel, ModelSpec, NodeFeatures
from llp_core.types import LatencyRow, LatencyTable

CPU = torch.device("cpu")
# 0 - 1 - 2 - 3 - 4 - 5, and 2 - 6; node 7 is alone.
PATH = torch.tensor([[0, 1, 2, 3, 4, 2], [1, 2, 3, 4, 5, 6]])


def model(encoder: str, layers: int = 2, rng: torch.Generator | None = None) -> LinkModel:
    spec = ModelSpec(encoder=encoder, features=5, hidden=8, layers=layers, dropout=0.5)
    return LinkModel(spec, rng or torch.Generator().manual_seed(0)).eval()


@pytest.mark.parametrize("encoder", ["sage", "gcn", "mlp"])
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), layers=st.integers(1, 3), sparse=st.booleans())
def test_a_request_scores_as_on_the_whole_graph(encoder: str, seed: int, layers: int, sparse: bool) -> None:
    rng = torch.Generator().manual_seed(seed)
    everyone = torch.combinations(torch.arange(30)).T
    graph = csr(everyone[:, torch.rand(everyone.shape[1], generator=rng) < 0.08], 30)
    features = torch.randn(30, 5, generator=rng) * (torch.rand(30, 5, generator=rng) < 0.5)
    node_features = NodeFeatures.of(features.to_sparse_csr() if sparse else features)
    pairs = everyone[:, torch.randperm(everyone.shape[1], generator=rng)[:4]]

    made = model(encoder, layers, rng)
    scorer = TorchStudent(made, node_features) if encoder == "mlp" else GraphScorer(made, node_features, graph)
    with torch.inference_mode():
        assert torch.allclose(scorer.online(pairs), scorer.offline(pairs), rtol=1e-5, atol=1e-6)


@dataclass
class Asked:
    """A scorer that keeps what it was asked for online."""

    scorer: Scorer
    asked: list[list[list[int]]] = field(default_factory=list)
    wrong_online: float = 0.0
    pause_seconds: float = 0.0

    def online(self, pairs: Tensor) -> Tensor:
        self.asked.append(pairs.tolist())
        time.sleep(self.pause_seconds)
        return self.scorer.online(pairs) + self.wrong_online

    def offline(self, pairs: Tensor) -> Tensor:
        return self.scorer.offline(pairs)


def scorers(device: str = "cpu", **student: float) -> dict[str, Asked]:
    features = NodeFeatures.of(torch.eye(8, 5).to_sparse_csr(), device)
    graph = CSR(*(part.to(device) for part in csr(PATH, 8)))
    return {
        "teacher": Asked(GraphScorer(model("sage").to(device), features, graph)),
        "llp": Asked(TorchStudent(model("mlp").to(device), features), **student),
    }


def run(timed: Mapping[str, Scorer], seed: int = 0, **params: object) -> LatencyTable:
    settings = {"pairs": (1, 3), "seconds": 5.0, "max_requests": 6, **params}
    rng = torch.Generator().manual_seed(seed)
    found = measure(timed, 8, PATH, LatencyParams(**settings), CPU, 1, rng)
    return LatencyTable("transductive", "cpu", 1, tuple(row for one in found for row in to_rows(one, "teacher")))


def test_one_row_for_each_method_regime_and_size() -> None:
    table = run(scorers())
    assert [(row.method, row.regime, row.pairs, row.requests) for row in table.rows] == [
        ("teacher", "online", 1, 6),
        ("llp", "online", 1, 6),
        ("teacher", "online", 3, 6),
        ("llp", "online", 3, 6),
        ("teacher", "offline", 6, 6),
        ("llp", "offline", 6, 6),
    ]
    assert all(row.memory_mb is None for row in table.rows)


def test_all_methods_get_the_same_requests_of_two_different_nodes() -> None:
    timed = scorers()
    run(timed)
    assert timed["teacher"].asked == timed["llp"].asked
    random_requests = timed["llp"].asked[:-1]
    assert [len(request[0]) for request in random_requests] == [1] * 8 + [3] * 8
    ends = [pair for request in random_requests for pair in zip(*request, strict=True)]
    assert all(first != second for first, second in ends)
    assert {node for pair in ends for node in pair} <= set(range(8))
    assert len(set(ends)) > 10


def test_the_generator_decides_the_requests() -> None:
    first, again, other = scorers(), scorers(), scorers()
    run(first, seed=3)
    run(again, seed=3)
    run(other, seed=4)
    assert first["llp"].asked == again["llp"].asked != other["llp"].asked


def test_methods_take_turns_and_another_begins_each_time() -> None:
    order: list[str] = []

    @dataclass
    class Noting:
        name: str

        def online(self, pairs: Tensor) -> Tensor:
            order.append(self.name)
            return pairs.sum(0).float()

        def offline(self, pairs: Tensor) -> Tensor:
            return pairs.sum(0).float()

    run({name: Noting(name) for name in "abc"}, pairs=(1,), max_requests=3)
    # The first request, one to plan by, three rounds; the check of the scores comes last.
    assert "".join(order) == "abcabcabcbcacababc"


def test_rounds_end_when_the_slowest_has_spent_its_seconds_but_there_are_five() -> None:
    table = run(scorers(pause_seconds=0.02), pairs=(1,), seconds=0.01, max_requests=1000)
    slow = table.row("llp", "online")
    assert slow.requests == 5
    assert slow.p50_seconds >= 0.02
    assert table.row("teacher", "offline").requests >= 3


def test_a_fast_method_answers_more_requests_of_a_round() -> None:
    table = run(scorers(pause_seconds=0.05), pairs=(1,), seconds=0.5, max_requests=80)
    assert 5 <= table.row("llp", "online").requests < table.row("teacher", "online").requests <= 80


@pytest.mark.parametrize(
    ("warm", "rounds", "shares"),
    [
        ({"a": 0.5, "b": 0.05, "c": 0.0004}, 10, {"a": 1, "b": 4, "c": 100}),  # too slow: the fewest rounds
        ({"a": 0.1, "b": 0.025}, 20, {"a": 1, "b": 4}),
        ({"a": 0.02, "b": 0.005}, 50, {"a": 2, "b": 8}),  # the most rounds
        ({"a": 0.00001, "b": 0.000001}, 50, {"a": 20, "b": 20}),  # the most requests
    ],
)
def test_plan(warm: dict[str, float], rounds: int, shares: dict[str, int]) -> None:
    assert Bounds(seconds=2.0, least_rounds=10, most_requests=1000).plan(warm) == (rounds, shares)


def test_a_round_is_a_row_of_answers_to_the_same_requests() -> None:
    asked: dict[str, list[int]] = {"slow": [], "fast": []}

    def slow(pairs: Tensor) -> None:
        asked["slow"].append(int(pairs))
        time.sleep(0.03)

    calls = {"slow": slow, "fast": lambda pairs: asked["fast"].append(int(pairs))}
    requests = (torch.tensor(number) for number in itertools.count())
    answers = time_in_rounds(calls, requests, Bounds(0.06, least_rounds=2, most_requests=6), CPU)
    assert (answers["slow"].seconds.shape, answers["fast"].seconds.shape) == ((2, 1), (2, 3))
    assert asked == {"slow": [0, 1, 2, 5], "fast": [0, 1, 2, 3, 4, 5, 6, 7]}


def test_a_scorer_that_answers_otherwise_online_is_refused() -> None:
    with pytest.raises(ValueError, match=r"llp: its online scores of 3 test pairs differ from its offline scores"):
        run(scorers(wrong_online=0.5))


def test_an_approximate_scorer_may_answer_otherwise_online() -> None:
    params = LatencyParams(pairs=(1,), seconds=5.0, max_requests=2)
    rng = torch.Generator().manual_seed(0)
    timed = measure(scorers(wrong_online=0.5), 8, PATH, params, CPU, 1, rng, exact=["teacher"])
    assert set(timed[0].answers) == {"teacher", "llp"}


def test_what_else_is_timed_takes_its_turn() -> None:
    sizes: list[tuple[str, int]] = []

    def products(regime: str, pairs: int) -> dict[str, object]:
        return {"products": lambda request: sizes.append((regime, request.shape[1]))}

    params = LatencyParams(pairs=(3,), seconds=5.0, max_requests=2)
    timed = measure(scorers(), 8, PATH, params, CPU, 1, torch.Generator().manual_seed(0), products=products)
    assert [list(one.answers) for one in timed] == [["teacher", "llp", "products"]] * 2
    assert set(sizes) == {("online", 3), ("offline", 6)}


def test_threads_are_set_while_measuring_and_given_back() -> None:
    before = torch.get_num_threads()
    seen = set()

    class Looking:
        def online(self, pairs: Tensor) -> Tensor:
            seen.add((torch.get_num_threads(), torch.is_inference_mode_enabled(), gc.isenabled()))
            return pairs.sum(0).float()

        offline = online

    run({"llp": Looking()})
    assert seen == {(1, True, False)}
    assert (torch.get_num_threads(), gc.isenabled()) == (before, True)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_same_table() -> None:
    params = LatencyParams(pairs=(1, 3), seconds=5.0, max_requests=6)
    gpu = torch.device("cuda")
    rng = torch.Generator().manual_seed(0)
    timed = measure(scorers("cuda"), 8, PATH, params, gpu, 1, rng)
    rows = [row for one in timed for row in to_rows(one, "teacher")]
    assert len(rows) == 6
    assert all(row.memory_mb is not None and row.memory_mb > 0 for row in rows)


@pytest.mark.parametrize(("count", "share", "expected"), [(1, 0.99, 1), (4, 0.5, 2), (100, 0.99, 99), (101, 0.99, 100)])
def test_percentile_is_the_nearest_rank(count: int, share: float, expected: int) -> None:
    assert percentile(torch.arange(1.0, count + 1), share) == expected


def test_a_ratio_of_medians_with_its_interval() -> None:
    rng = torch.Generator().manual_seed(0)
    fast = torch.rand(200, 3, generator=rng, dtype=torch.float64) + 1
    drift = torch.rand(200, 1, generator=rng, dtype=torch.float64) + 1
    same = ratio(4 * fast, fast)
    assert same == (pytest.approx(4), pytest.approx(4), pytest.approx(4))  # paired: no doubt where all rounds agree
    noisy = ratio(4 * drift * fast.median(1, keepdim=True).values, fast)
    assert noisy.low < noisy.value < noisy.high
    assert noisy.value == pytest.approx(6, rel=0.1)


def test_the_interval_of_a_ratio_holds_what_it_estimates_as_often_as_it_says() -> None:
    rng = torch.Generator().manual_seed(0)
    hits = 0
    for _ in range(100):
        slow, fast = (torch.rand(50, 1, generator=rng, dtype=torch.float64) + 0.5 for _ in range(2))
        interval = ratio(slow, fast)
        hits += interval.low <= 1 <= interval.high
    assert 88 <= hits <= 100


def test_rows_hold_percentiles_and_the_interval() -> None:
    fast = torch.arange(1.0, 101.0, dtype=torch.float64)[:, None]
    answers = {"teacher": Answers(9.0, 2 * fast, None), "llp": Answers(8.0, fast, 12.5)}
    teacher, llp = to_rows(Timed("online", 10, answers), "teacher")
    assert (teacher.faster_low, teacher.faster_high) == (None, None)
    assert (llp.faster_low, llp.faster_high) == (pytest.approx(2), pytest.approx(2))
    assert (llp.first_seconds, llp.p50_seconds, llp.p95_seconds, llp.p99_seconds) == (8, 50, 95, 99)
    assert (llp.requests, llp.memory_mb) == (100, 12.5)
    assert next(to_rows(Timed("online", 10, answers), "none")).faster_low is None


@pytest.fixture
def table() -> LatencyTable:
    rows = [
        LatencyRow("teacher", "online", 10, 100, 0.1, 0.008, 0.01, 0.02),
        LatencyRow("llp", "online", 10, 100, 0.01, 0.002, 0.0025, 0.003),
        LatencyRow("teacher", "offline", 900, 20, 1.0, 0.5, 0.75, 0.75),
        LatencyRow("llp", "offline", 900, 20, 1.0, 0.2, 0.25, 0.25),
    ]
    return LatencyTable("production", "cpu Abacus", 2, tuple(rows))


def test_times_faster_compares_medians_of_one_regime(table: LatencyTable) -> None:
    assert [times_faster(table, row) for row in table.rows] == [1, 4, 1, 2.5]
    students = LatencyTable("production", "cpu Abacus", 2, table.rows[1::2])
    assert [times_faster(students, row) for row in students.rows] == [None, None]


def test_json_is_one_line_with_the_machine_and_ratios(table: LatencyTable) -> None:
    line = to_json_line(table)
    assert "\n" not in line
    read = json.loads(line)
    assert (read["setting"], read["device"], read["threads"]) == ("production", "cpu Abacus", 2)
    assert [row["times_faster"] for row in read["rows"]] == [1, 4, 1, 2.5]
    assert read["rows"][1]["p99_seconds"] == 0.003
    assert read["machine"]["cores"] == machine().cores
    assert read["machine"]["versions"]["torch"] == version("torch")


def test_text_is_aligned_and_says_what_was_measured(table: LatencyTable) -> None:
    lines = to_text(table).splitlines()
    assert lines[0] == "Latency, production: cpu Abacus, 2 threads"
    assert lines[1].startswith("  online: one request of random node pairs")
    assert lines[3].split() == [
        "regime",
        "pairs",
        "method",
        "p50",
        "ms",
        "p95",
        "ms",
        "p99",
        "ms",
        "first",
        "ms",
        "requests",
        "faster",
    ]
    assert lines[5].split() == ["online", "10", "llp", "2.000", "2.500", "3.000", "10.000", "100", "4.00x"]
    assert len({len(line) for line in lines[3:]}) == 1


def test_machine_is_known() -> None:
    here = machine()
    assert here.cpu
    assert here.cores >= 1
    assert here.memory_gb > 0
    assert here.versions["python"].startswith("3.")
    assert all(itertools.chain(here.versions.values()))
