"""Each invariant of llp_core.types, seen to hold and seen to fail."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from llp_core.types import (
    Contexts,
    Evaluation,
    Graph,
    LatencyRow,
    LatencyTable,
    LinkSplit,
    TeacherScores,
    TrainingGraph,
)


def pairs(*of: tuple[int, int]) -> Tensor:
    return torch.tensor(of, dtype=torch.int64).reshape(-1, 2).T


PAIR_FAULTS = [
    pytest.param(pairs((0, 3)), r"ids must lie in 0\.\.2, got 0\.\.3", id="unknown node"),
    pytest.param(pairs((-1, 0)), r"ids must lie in 0\.\.2, got -1\.\.0", id="negative id"),
    pytest.param(pairs((1, 0)), r"1 pairs are not \(smaller id, larger id\)", id="larger id first"),
    pytest.param(pairs((1, 1)), r"1 pairs are not \(smaller id, larger id\)", id="self pair"),
    pytest.param(pairs((0, 1), (0, 2), (0, 1)), "1 pairs occur more than once", id="repeated"),
    pytest.param(pairs((0, 1)).int(), "expected torch.int64, got torch.int32", id="dtype"),
    pytest.param(torch.tensor([0, 1]), r"expected shape \[2, any\], got \[2\]", id="shape"),
]


class TestGraph:
    VALID: Mapping[str, Any] = {
        "name": "path",
        "node_ids": ("a", "b", "c"),
        "features": torch.ones(3, 2),
        "edges": pairs((0, 1), (1, 2)),
    }

    def test_counts_nodes_and_undirected_edges(self):
        graph = Graph(**self.VALID)
        assert (graph.num_nodes, graph.num_edges) == (3, 2)

    def test_may_have_no_edge(self):
        assert Graph(**self.VALID | {"edges": pairs()}).num_edges == 0

    def test_takes_sparse_features_weights_and_times(self):
        features = torch.eye(3).to_sparse_csr()
        graph = Graph(**self.VALID | {"features": features}, edge_weight=torch.ones(2), edge_time=torch.tensor([1, 2]))
        assert graph.features is features

    def test_is_frozen(self):
        with pytest.raises(dataclasses.FrozenInstanceError):
            Graph(**self.VALID).name = "other"

    @pytest.mark.parametrize(("edges", "message"), PAIR_FAULTS)
    def test_refuses_edges(self, edges, message):
        with pytest.raises(ValueError, match=f"^edges: {message}$"):
            Graph(**self.VALID | {"edges": edges})

    @pytest.mark.parametrize(
        ("fault", "message"),
        [
            ({"node_ids": ("a", "b")}, "node_ids: expected one for each of 3 feature rows, got 2"),
            ({"node_ids": ("a", "b", "a")}, "node_ids: 1 of 3 repeat"),
            ({"features": torch.ones(3, 2).double()}, "features: expected torch.float32, got torch.float64"),
            ({"features": torch.ones(3)}, r"features: expected shape \[any, any\], got \[3\]"),
            ({"features": torch.eye(3).to_sparse_coo()}, "features: layout torch.sparse_coo is not known"),
            ({"edge_weight": torch.ones(3)}, r"edge_weight: expected shape \[2\], got \[3\]"),
            ({"edge_weight": torch.ones(2).double()}, "edge_weight: expected torch.float32, got torch.float64"),
            ({"edge_time": torch.ones(2)}, "edge_time: expected torch.int64, got torch.float32"),
            ({"edge_time": torch.tensor([[1, 2]])}, r"edge_time: expected shape \[2\], got \[1, 2\]"),
        ],
    )
    def test_refuses(self, fault, message):
        with pytest.raises(ValueError, match=f"^{message}$"):
            Graph(**self.VALID | fault)


class TestTrainingGraph:
    VALID: Mapping[str, Any] = {
        "nodes": torch.tensor([0, 2, 5]),
        "features": torch.ones(3, 2),
        "edges": pairs((0, 1)),
        "valid_edges": pairs((1, 2)),
        "valid_negatives": pairs((0, 2)),
    }

    def test_counts_its_own_nodes(self):
        assert TrainingGraph(**self.VALID).num_nodes == 3

    @pytest.mark.parametrize("name", ["edges", "valid_edges", "valid_negatives"])
    @pytest.mark.parametrize(("value", "message"), PAIR_FAULTS)
    def test_refuses_pairs(self, name, value, message):
        with pytest.raises(ValueError, match=f"^{name}: {message}$"):
            TrainingGraph(**self.VALID | {name: value})

    @pytest.mark.parametrize(
        ("fault", "message"),
        [
            ({"nodes": torch.tensor([0, 1])}, r"nodes: expected shape \[3\], got \[2\]"),
            ({"nodes": torch.tensor([0, 5, 2])}, "nodes: 1 are not above the one before"),
            ({"nodes": torch.tensor([2, 2, 2])}, "nodes: 2 are not above the one before"),
            ({"features": torch.ones(3, 2).half()}, "features: expected torch.float32, got torch.float16"),
        ],
    )
    def test_refuses(self, fault, message):
        with pytest.raises(ValueError, match=f"^{message}$"):
            TrainingGraph(**self.VALID | fault)


class TestLinkSplit:
    # Nodes 0, 1, 2 are old, 3 and 4 are new.
    VALID: Mapping[str, Any] = {
        "setting": "production",
        "is_new": torch.tensor([False, False, False, True, True]),
        "train_edges": pairs((0, 1)),
        "valid_edges": pairs((1, 2)),
        "valid_negatives": pairs((0, 2)),
        "inference_edges": pairs((0, 1), (0, 3)),
        "test_edges": pairs((0, 2), (1, 3), (3, 4)),
        "test_negatives": pairs((0, 4), (1, 4), (2, 4)),
    }

    def test_groups_test_edges_by_their_new_ends(self):
        split = LinkSplit(**self.VALID)
        assert split.num_nodes == 5
        assert split.test_group.tolist() == [0, 1, 2]

    def test_cold_start_takes_edges_among_old_nodes_at_inference(self):
        split = LinkSplit(**self.VALID | {"setting": "cold_start", "inference_edges": pairs((0, 1))})
        assert split.inference_edges.tolist() == [[0], [1]]

    @pytest.mark.parametrize(
        ("fault", "message"),
        [
            ({"setting": "hot"}, "setting: expected one of transductive, production, cold_start, got 'hot'"),
            ({"is_new": torch.zeros(5)}, "is_new: expected torch.bool, got torch.float32"),
            ({"train_edges": pairs((0, 1), (0, 3))}, "train_edges: 1 pairs touch a new node, unknown while training"),
            ({"valid_edges": pairs((3, 4))}, "valid_edges: 1 pairs touch a new node, unknown while training"),
            ({"valid_negatives": pairs((2, 4))}, "valid_negatives: 1 pairs touch a new node, unknown while training"),
            (
                {"setting": "cold_start"},
                "inference_edges: 1 edges touch a new node, isolated in cold start",
            ),
            ({"inference_edges": pairs((0, 5))}, r"inference_edges: ids must lie in 0\.\.4, got 0\.\.5"),
            ({"test_edges": pairs((1, 0))}, r"test_edges: 1 pairs are not \(smaller id, larger id\)"),
            ({"test_negatives": pairs((0, 4), (0, 4))}, "test_negatives: 1 pairs occur more than once"),
        ],
    )
    def test_refuses(self, fault, message):
        with pytest.raises(ValueError, match=f"^{message}$"):
            LinkSplit(**self.VALID | fault)


class TestContexts:
    NODES = torch.tensor([[[1, 0], [0, 1], [0, 2]]], dtype=torch.int32)  # 1 round, 3 anchors, 2 nodes each

    def test_counts_rounds(self):
        assert Contexts(self.NODES).rounds == 1

    @pytest.mark.parametrize(
        ("nodes", "message"),
        [
            (NODES.long(), "nodes: expected torch.int32, got torch.int64"),
            (NODES[0], r"nodes: expected shape \[any, any, any\], got \[3, 2\]"),
            (NODES[:0], r"nodes: expected no empty dimension, got shape \[0, 3, 2\]"),
            (NODES + 1, r"nodes: ids must lie in 0\.\.2, got 1\.\.3"),
            (NODES - 1, r"nodes: ids must lie in 0\.\.2, got -1\.\.1"),
        ],
    )
    def test_refuses(self, nodes, message):
        with pytest.raises(ValueError, match=f"^{message}$"):
            Contexts(nodes)


class TestTeacherScores:
    # 2 rounds, 3 anchors, 4 context nodes, 5 training edges, representations of width 6.
    VALID: Mapping[str, Tensor] = {
        "context_logits": torch.zeros(2, 3, 4),
        "edge_logits": torch.zeros(5),
        "negatives": torch.zeros(2, 2, 5, dtype=torch.int32),
        "negative_logits": torch.zeros(2, 5),
        "representations": torch.zeros(3, 6),
    }

    def test_holds_what_agrees(self):
        assert TeacherScores(**self.VALID).edge_logits.shape == (5,)

    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [
            ("context_logits", torch.zeros(2), r"expected shape \[any, any, any\], got \[2\]"),
            ("edge_logits", torch.zeros(5, 1), r"expected shape \[any\], got \[5, 1\]"),
            ("edge_logits", torch.zeros(5).double(), "expected torch.float32, got torch.float64"),
            ("negatives", VALID["negatives"][:1], r"expected shape \[2, 2, 5\], got \[1, 2, 5\]"),
            ("negatives", VALID["negatives"].long(), "expected torch.int32, got torch.int64"),
            ("negatives", VALID["negatives"] + 3, r"20 ids do not lie in 0\.\.2"),
            ("negatives", VALID["negatives"] - 1, r"20 ids do not lie in 0\.\.2"),
            ("negative_logits", torch.zeros(2, 4), r"expected shape \[2, 5\], got \[2, 4\]"),
            ("representations", torch.zeros(4, 6), r"expected shape \[3, any\], got \[4, 6\]"),
            ("context_logits", torch.full((2, 3, 4), torch.nan), "24 values are not finite"),
            ("edge_logits", torch.full((5,), torch.inf), "5 values are not finite"),
            ("negative_logits", torch.full((2, 5), -torch.inf), "10 values are not finite"),
            ("representations", torch.full((3, 6), torch.nan), "18 values are not finite"),
        ],
    )
    def test_refuses(self, name, value, message):
        with pytest.raises(ValueError, match=f"^{name}: {message}$"):
            TeacherScores(**{**self.VALID, name: value})


class TestEvaluation:
    @staticmethod
    def of(value: float = 0.5, groups: tuple[str, ...] = ("all",), setting: str = "production") -> Evaluation:
        return Evaluation(setting, 10, {"all": 10}, {"llp": {group: {"mrr": value} for group in groups}})

    @pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
    def test_holds_shares(self, value):
        assert self.of(value).figures["llp"]["all"]["mrr"] == value

    @pytest.mark.parametrize("value", [-0.01, 1.01, float("nan")])
    def test_refuses_what_is_no_share(self, value):
        with pytest.raises(ValueError, match=f"^figures: llp, all, mrr is {value}, expected 0..1$"):
            self.of(value)

    @pytest.mark.parametrize("groups", [(), ("new-new",), ("all", "new-new")])
    def test_refuses_groups_that_have_no_positives(self, groups):
        with pytest.raises(ValueError, match=r"^figures: llp has groups \[.*\], expected \['all'\]$"):
            self.of(groups=groups)

    def test_refuses_an_unknown_setting(self):
        with pytest.raises(ValueError, match=r"^setting: expected one of .*, got 'hot'$"):
            self.of(setting="hot")


class TestLatency:
    ROW: Mapping[str, Any] = {
        "method": "llp",
        "regime": "online",
        "pairs": 10,
        "requests": 5,
        "first_seconds": 0.3,
        "p50_seconds": 0.1,
        "p95_seconds": 0.15,
        "p99_seconds": 0.2,
    }

    @pytest.mark.parametrize(
        ("fault", "message"),
        [
            ({"pairs": 0}, "llp: nothing was timed"),
            ({"requests": 0}, "llp: nothing was timed"),
            ({"p50_seconds": 0.3}, r"llp: expected 0 < p50 <= p95 <= p99"),
            ({"p50_seconds": 0.0}, r"llp: expected 0 < p50 <= p95 <= p99"),
            ({"p95_seconds": 0.3}, r"llp: expected 0 < p50 <= p95 <= p99"),
        ],
    )
    def test_row_refuses(self, fault, message):
        with pytest.raises(ValueError, match=f"^{message}$"):
            LatencyRow(**self.ROW | fault)

    def test_table_finds_a_row(self):
        ten, hundred = LatencyRow(**self.ROW), LatencyRow(**self.ROW | {"pairs": 100})
        table = LatencyTable("production", "cpu", 1, (ten, hundred))
        assert table.row("llp", "online", 100) is hundred
        assert table.row("llp", "online") is ten

    def test_table_names_what_it_lacks(self):
        table = LatencyTable("production", "cpu", 1, (LatencyRow(**self.ROW),))
        with pytest.raises(KeyError, match="no latency of teacher, offline, 10 pairs"):
            table.row("teacher", "offline", 10)

    def test_table_refuses_an_unknown_setting(self):
        with pytest.raises(ValueError, match=r"^setting: expected one of .*, got 'hot'$"):
            LatencyTable("hot", "cpu", 1, ())
