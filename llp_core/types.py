"""The objects that flow through the pipeline. Each is frozen and valid at birth.

A constructor raises ValueError, one per broken invariant, with what was expected and what was found;
code that receives one of these objects may therefore trust it. Shapes are written with N nodes,
F features, E edges, A anchors (= training nodes), C context size, R rounds and D hidden width.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from llp_core.invariants import require, require_features, require_pairs, require_setting, require_tensor
from llp_core.names import Setting


@dataclass(frozen=True, eq=False)
class Graph:
    """An undirected graph with node features, in canonical form.

    Attributes:
        name: of the data set.
        node_ids: the user's id of each node, N distinct strings.
        features: float32 [N, F]; `sparse_csr` for bags of words, strided otherwise.
        edges: int64 [2, E]; each undirected edge once, the smaller node first; no self loop.
        edge_weight, edge_time: float32 and int64 [E] (a year, or seconds), or None.
        node_type, type_names: int64 [N] and the words of the types, where edges join certain types only; or None.
    """

    name: str
    node_ids: tuple[str, ...]
    features: Tensor
    edges: Tensor
    edge_weight: Tensor | None = None
    edge_time: Tensor | None = None
    node_type: Tensor | None = None
    type_names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        require_features(self.features)
        require(
            len(self.node_ids) == self.features.shape[0],
            f"node_ids: expected one for each of {self.features.shape[0]} feature rows, got {len(self.node_ids)}",
        )
        distinct = len(set(self.node_ids))
        require(distinct == len(self.node_ids), f"node_ids: {len(self.node_ids) - distinct} of {self.num_nodes} repeat")
        require_pairs("edges", self.edges, self.num_nodes)
        for name, dtype in (("edge_weight", torch.float32), ("edge_time", torch.int64)):
            if (values := getattr(self, name)) is not None:
                require_tensor(name, values, dtype, (self.num_edges,))
        if self.node_type is not None:
            require_tensor("node_type", self.node_type, torch.int64, (self.num_nodes,))

    @property
    def num_nodes(self) -> int:
        """N."""
        return self.features.shape[0]

    @property
    def num_edges(self) -> int:
        """E, each undirected edge once."""
        return self.edges.shape[1]


@dataclass(frozen=True, eq=False)
class TrainingGraph:
    """All that training may see: nothing of what a split holds back is in it.

    Nodes are renumbered 0..A-1, so that a node held back has no id here.

    Attributes:
        nodes: int64 [A], the id in the whole graph of each node here, ascending.
        features: float32 [A, F], strided or `sparse_csr`.
        edges: int64 [2, E], the edges that messages pass over and that are learnt.
        valid_edges: int64 [2, V], held out to choose the epoch.
        valid_negatives: int64 [2, V'], pairs that are no edge.
        node_type: int64 [A], a number for the type of each node, or None.
    """

    nodes: Tensor
    features: Tensor
    edges: Tensor
    valid_edges: Tensor
    valid_negatives: Tensor
    node_type: Tensor | None = None

    def __post_init__(self) -> None:
        require_features(self.features)
        require_tensor("nodes", self.nodes, torch.int64, (self.features.shape[0],))
        unordered = int((self.nodes.diff() <= 0).sum())
        require(unordered == 0, f"nodes: {unordered} are not above the one before")
        for name in ("edges", "valid_edges", "valid_negatives"):
            require_pairs(name, getattr(self, name), self.num_nodes)
        if self.node_type is not None:
            require_tensor("node_type", self.node_type, torch.int64, (self.num_nodes,))

    @property
    def num_nodes(self) -> int:
        """A, the nodes known while training."""
        return self.features.shape[0]


@dataclass(frozen=True, eq=False)
class LinkSplit:
    """Which edges train, validate and test, in ids of the whole graph. Pairs are (smaller id, larger id).

    Attributes:
        setting: transductive, production or cold_start.
        is_new: bool [N]; a new node is unknown while training. All False in transductive.
        train_edges: int64 [2, E]; both learnt from and passed messages over while training.
        valid_edges: int64 [2, V]; among old nodes.
        valid_negatives: int64 [2, V']; among old nodes, up to ten for each of the V.
        inference_edges: int64 [2, I]; what messages pass over when test edges are scored.
        test_edges: int64 [2, T].
        test_negatives: int64 [2, T']; shared by all groups of test edges.
    """

    setting: Setting
    is_new: Tensor
    train_edges: Tensor
    valid_edges: Tensor
    valid_negatives: Tensor
    inference_edges: Tensor
    test_edges: Tensor
    test_negatives: Tensor

    def __post_init__(self) -> None:
        require_setting(self.setting)
        require_tensor("is_new", self.is_new, torch.bool, (None,))
        pairs = ("train_edges", "valid_edges", "valid_negatives", "inference_edges", "test_edges", "test_negatives")
        for name in pairs:
            require_pairs(name, getattr(self, name), self.num_nodes)
        for name in ("train_edges", "valid_edges", "valid_negatives"):
            touching = int(self.is_new[getattr(self, name)].any(0).sum())
            require(touching == 0, f"{name}: {touching} pairs touch a new node, unknown while training")
        if self.setting == "cold_start":
            touching = int(self.is_new[self.inference_edges].any(0).sum())
            require(touching == 0, f"inference_edges: {touching} edges touch a new node, isolated in cold start")

    @property
    def num_nodes(self) -> int:
        """N, old and new."""
        return self.is_new.shape[0]

    @property
    def test_group(self) -> Tensor:
        """int64 [T]: the number of new ends of each test edge, an index into EDGE_GROUPS."""
        return self.is_new[self.test_edges].sum(0)


@dataclass(frozen=True, eq=False)
class Contexts:
    """The context nodes of every anchor, drawn in independent rounds.

    Attributes:
        nodes: int32 [R, A, C]; `nodes[r, v]` are the context nodes of anchor v in round r: first those met on
            random walks, then uniform ones.
    """

    nodes: Tensor

    def __post_init__(self) -> None:
        require_tensor("nodes", self.nodes, torch.int32, (None, None, None))
        require(min(self.nodes.shape) > 0, f"nodes: expected no empty dimension, got shape {list(self.nodes.shape)}")
        low, high = int(self.nodes.min()), int(self.nodes.max())
        anchors = self.nodes.shape[1]
        require(low >= 0 and high < anchors, f"nodes: ids must lie in 0..{anchors - 1}, got {low}..{high}")

    @property
    def rounds(self) -> int:
        """R, the independent draws."""
        return self.nodes.shape[0]


@dataclass(frozen=True, eq=False)
class TeacherScores:
    """What the teacher thinks, exported once so that the student never calls it. Logits, float32.

    Attributes:
        context_logits: [R, A, C], of each anchor with each of its context nodes.
        edge_logits: [E], of the training edges.
        negatives: int32 [R, 2, E], sampled pairs without an edge, one for each training edge and round.
        negative_logits: [R, E], of those.
        representations: [A, D], the teacher's node representations.
    """

    context_logits: Tensor
    edge_logits: Tensor
    negatives: Tensor
    negative_logits: Tensor
    representations: Tensor

    def __post_init__(self) -> None:
        require_tensor("context_logits", self.context_logits, torch.float32, (None, None, None))
        require_tensor("edge_logits", self.edge_logits, torch.float32, (None,))
        rounds, anchors = self.context_logits.shape[:2]
        edges = self.edge_logits.shape[0]
        require_tensor("negatives", self.negatives, torch.int32, (rounds, 2, edges))
        require_tensor("negative_logits", self.negative_logits, torch.float32, (rounds, edges))
        require_tensor("representations", self.representations, torch.float32, (anchors, None))
        stray = int(((self.negatives < 0) | (self.negatives >= anchors)).sum())
        require(stray == 0, f"negatives: {stray} ids do not lie in 0..{anchors - 1}")
        for name in ("context_logits", "edge_logits", "negative_logits", "representations"):
            bad = int((~torch.isfinite(getattr(self, name))).sum())
            require(bad == 0, f"{name}: {bad} values are not finite")


@dataclass(frozen=True)
class Evaluation:
    """Figures of every method on the test edges of one setting. Shares lie in 0..1.

    Attributes:
        setting: transductive, production or cold_start.
        negatives: how many pairs without an edge each test edge was ranked against.
        positives: group of test edges -> how many. Groups: all, old-old, old-new, new-new, and
            "degree a-b", the degree of the anchor in the graph messages pass over (each test edge
            counts once for each of its ends).
        figures: method -> group -> metric (hits_at_10, ..., mrr, auc) -> value.
    """

    setting: Setting
    negatives: int
    positives: Mapping[str, int]
    figures: Mapping[str, Mapping[str, Mapping[str, float]]]

    def __post_init__(self) -> None:
        require_setting(self.setting)
        for method, groups in self.figures.items():
            require(
                set(groups) == set(self.positives),
                f"figures: {method} has groups {sorted(groups)}, expected {sorted(self.positives)}",
            )
            for group, metrics in groups.items():
                for metric, value in metrics.items():
                    require(0 <= value <= 1, f"figures: {method}, {group}, {metric} is {value}, expected 0..1")


@dataclass(frozen=True)
class LatencyRow:
    """One method in one regime. Times are seconds for one request.

    Attributes:
        method: teacher or a student's method.
        regime: "online" (a request of random pairs) or "offline" (all nodes encoded, all test pairs scored).
        pairs: in a request.
        requests: how many were timed, after the first two.
        first_seconds: the first request, kept apart; the second is not counted.
        p50_seconds, p95_seconds, p99_seconds: of the rest.
        faster_low, faster_high: 95 % interval of how many times faster than the reference it is, by medians; None
            for the reference itself, and where there is none.
        memory_mb: the most that tensors took on a GPU during a request, in 2**20 bytes; None on a CPU.
    """

    method: str
    regime: Literal["online", "offline"]
    pairs: int
    requests: int
    first_seconds: float
    p50_seconds: float
    p95_seconds: float
    p99_seconds: float
    faster_low: float | None = None
    faster_high: float | None = None
    memory_mb: float | None = None

    def __post_init__(self) -> None:
        require(self.pairs > 0 and self.requests > 0, f"{self.method}: nothing was timed")
        require(
            0 < self.p50_seconds <= self.p95_seconds <= self.p99_seconds,
            f"{self.method}: expected 0 < p50 <= p95 <= p99",
        )


@dataclass(frozen=True)
class LatencyTable:
    """Latency of the teacher and the students, measured in one run on one machine.

    Attributes:
        setting: whose models and inference graph were timed.
        device: cpu or cuda, with the device's name.
        threads: that the numerics may use.
        rows: one for each method, regime and request size.
    """

    setting: Setting
    device: str
    threads: int
    rows: tuple[LatencyRow, ...]

    def __post_init__(self) -> None:
        require_setting(self.setting)

    def row(self, method: str, regime: str, pairs: int | None = None) -> LatencyRow:
        """The row of a method in a regime, of a request size where the regime has several; KeyError if none."""
        for row in self.rows:
            if row.method == method and row.regime == regime and pairs in (None, row.pairs):
                return row
        raise KeyError(f"no latency of {method}, {regime}, {pairs} pairs")
