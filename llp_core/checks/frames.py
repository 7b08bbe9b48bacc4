"""Graph, LinkSplit, TrainingGraph and TeacherScores as tables with one column for each thing a check asks.

The classes refuse to be made wrong, and the tables do not rely on that: an object that came about in
another way gives a table that shows its fault. All of it is vectorised, and linear in nodes + pairs.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from llp_core.checks.columns import (
    UNKNOWN,
    Flags,
    all_finite,
    end_columns,
    in_range,
    is_among,
    is_repeated,
    known_keys,
    padded,
    to_flags,
)
from llp_core.checks.rules import PARTS
from llp_core.sampling import PairSpace
from llp_core.types import Contexts, Graph, LinkSplit, TeacherScores, TrainingGraph


@dataclass(frozen=True, eq=False)
class Table:
    """What the checks of one kind of thing look at.

    Attributes:
        name: as rules and findings give it.
        rows: the columns; the index counts from 0.
        describe: names a row to the user.
    """

    name: str
    rows: pd.DataFrame
    describe: Callable[[Mapping[str, Any]], str]


def node_table(graph: Graph) -> Table:
    """`nodes`: a row for each node, or for each id or feature row where one is missing."""
    count = max(len(graph.node_ids), graph.features.shape[0])
    ids = [name if name and name.strip() else None for name in graph.node_ids]
    finite, nonzero = _feature_flags(graph.features)
    rows = pd.DataFrame(
        {
            "node": np.arange(count),
            "node_id": pd.Series(ids + [None] * (count - len(ids)), dtype="str"),
            "has_features": np.arange(count) < graph.features.shape[0],
            "features_finite": padded(finite, count),
            "has_nonzero_feature": padded(nonzero, count),
            "in_largest_component": _in_largest_component(graph.edges, count),
        }
    )
    return Table("nodes", rows, lambda row: _node_name(graph.node_ids, row["node"]))


def edge_table(graph: Graph) -> Table:
    """`edges`: a row for each edge."""
    keys, known = known_keys(graph.edges, graph.num_nodes)
    columns = end_columns(graph.edges) | {
        "source_known": known[0],
        "target_known": known[1],
        "self_loop": to_flags(graph.edges[0] == graph.edges[1]),
        "duplicate": is_repeated(keys),
    }
    if graph.edge_weight is not None:
        columns["weight_finite"] = padded(to_flags(torch.isfinite(graph.edge_weight)), graph.num_edges)
    return Table("edges", pd.DataFrame(columns), lambda row: _pair_name(graph.node_ids, row))


def split_table(split: LinkSplit, graph: Graph) -> Table:
    """`split`: a row for each pair of each part. A flag that does not concern a part is False there."""
    num_nodes = graph.num_nodes
    pairs = [getattr(split, name) for name in PARTS]
    part = np.repeat(np.arange(len(PARTS), dtype=np.int8), [each.shape[1] for each in pairs])
    every = torch.cat(pairs, dim=1)
    keys, known = known_keys(every, num_nodes)
    is_new = padded(to_flags(split.is_new), num_nodes)
    touches_new = (is_new[every.clamp(0, num_nodes - 1).numpy()] & known).any(0)

    def among(*names: str) -> Flags:
        wanted: Flags = np.isin(PARTS, names)[part]
        return wanted

    negative = among("valid_negatives", "test_negatives")
    partition = among("train_edges", "valid_edges", "test_edges")
    held_out = keys[among("valid_edges", "test_edges")]
    is_edge = is_among(keys, known_keys(graph.edges, num_nodes)[0])
    may_join = PairSpace.of(graph).may_join(*every.clamp(0, num_nodes - 1))
    repeated = np.zeros(len(keys), dtype=bool)
    for mask in (negative, *(part == code for code in np.unique(part[~negative]))):
        repeated[mask] = is_repeated(keys[mask])
    first = partition & ~repeated
    in_another_part = np.zeros(len(keys), dtype=bool)
    in_another_part[first] = is_repeated(keys[first], keep=False)
    rows = pd.DataFrame(
        {"part": pd.Categorical.from_codes(part, PARTS)}
        | end_columns(every)
        | {
            "ends_known": known.all(0),
            "self_pair": to_flags(every[0] == every[1]),
            "repeated": repeated,
            "in_another_part": in_another_part,
            "held_out": among("train_edges", "inference_edges") & is_among(keys, held_out),
            "not_an_edge": ~negative & ~is_edge,
            "is_an_edge": negative & is_edge,
            "unlike_an_edge": negative & ~to_flags(may_join),
            "new_node_in_training": among("train_edges", "valid_edges", "valid_negatives") & touches_new,
            "new_node_at_inference": among("inference_edges") & touches_new,
        }
    )
    return Table("split", rows, lambda row: f"{row['part']}: {_pair_name(graph.node_ids, row)}")


def training_table(training: TrainingGraph, split: LinkSplit, graph: Graph) -> Table:
    """`training_nodes`: a row for each node that training sees, or for each of its feature rows if there are more."""
    nodes, features = training.nodes.numel(), training.features.shape[0]
    position = np.arange(max(nodes, features))
    node = np.full(position.size, UNKNOWN)
    node[:nodes] = training.nodes.numpy()
    known = (node >= 0) & (node < split.num_nodes)
    is_new = to_flags(split.is_new)[np.where(known, node, 0)]
    rows = pd.DataFrame(
        {
            "node": node,
            "is_old": ~is_new & known,
            "has_node_and_features": (position < nodes) & (position < features),
        }
    )

    def describe(row: Mapping[str, Any]) -> str:
        return "a row of features without a node" if row["node"] < 0 else _node_name(graph.node_ids, row["node"])

    return Table("training_nodes", rows, describe)


def split_size_table(split: LinkSplit, graph: Graph) -> Table:
    """`split_sizes`: a row for each part, and for the labels old and new."""
    new = int(split.is_new.sum())
    parts = [(name, getattr(split, name).shape[1], 1, None) for name in PARTS]
    nodes = [
        ("labelled nodes", split.num_nodes, graph.num_nodes, graph.num_nodes),
        ("old nodes", split.num_nodes - new, 1, None),
        ("new nodes", new, *((0, 0) if split.setting == "transductive" else (1, None))),
    ]
    return _size_table("split_sizes", [*parts, *nodes])


def score_size_table(scores: TeacherScores, contexts: Contexts, split: LinkSplit) -> Table:
    """`score_sizes`: a row for each dimension of each tensor."""
    rounds, anchors, size = contexts.nodes.shape
    old, edges = int((~split.is_new).sum()), split.train_edges.shape[1]
    expected = {
        "contexts": (contexts.nodes, {"anchors": (1, old)}),
        "context_logits": (scores.context_logits, {"rounds": (0, rounds), "anchors": (1, anchors), "size": (2, size)}),
        "edge_logits": (scores.edge_logits, {"train edges": (0, edges)}),
        "negatives": (scores.negatives, {"rounds": (0, rounds), "train edges": (2, edges)}),
        "negative_logits": (scores.negative_logits, {"rounds": (0, rounds), "train edges": (1, edges)}),
        "representations": (scores.representations, {"anchors": (0, anchors)}),
    }
    sizes = [
        (f"{name}, {dimension}", tensor.shape[axis], wanted, wanted)
        for name, (tensor, dimensions) in expected.items()
        for dimension, (axis, wanted) in dimensions.items()
    ]
    return _size_table("score_sizes", sizes)


def context_score_table(scores: TeacherScores, split: LinkSplit) -> Table:
    """`context_scores`: a row for each anchor, over all rounds and context nodes."""
    logits = scores.context_logits
    lowest, highest = logits.amin((0, 2)), logits.amax((0, 2))
    rows = pd.DataFrame(
        {
            "node": (~split.is_new).nonzero().flatten().numpy(),
            "logits_finite": to_flags(all_finite(logits, over=(0, 2))),
            "probability_in_range": to_flags(in_range(lowest) & in_range(highest)),
            "logit_range": (highest - lowest).numpy(),
            "representation_finite": to_flags(torch.isfinite(scores.representations).all(1)),
        }
    )
    return Table("context_scores", rows, lambda row: f"node {row['node']}")


def edge_score_table(scores: TeacherScores, split: LinkSplit) -> Table:
    """`edge_scores`: a row for each train edge, with the negatives drawn for it in all rounds."""
    nodes = int((~split.is_new).sum())
    position = (~split.is_new).cumsum(0) - 1
    train, _ = known_keys(position[split.train_edges], nodes)
    edges = scores.edge_logits.numel()
    known, self_pair, is_edge = np.ones(edges, dtype=bool), np.zeros(edges, dtype=bool), np.zeros(edges, dtype=bool)
    for negatives in scores.negatives.long():
        keys, ends_known = known_keys(negatives, nodes)
        known &= ends_known.all(0)
        self_pair |= to_flags(negatives[0] == negatives[1])
        is_edge |= is_among(keys, train)
    logits = torch.cat((scores.edge_logits[None], scores.negative_logits))
    rows = pd.DataFrame(
        end_columns(split.train_edges)
        | {
            "logits_finite": to_flags(all_finite(logits, over=(0,))),
            "probability_in_range": to_flags(in_range(logits.amin(0)) & in_range(logits.amax(0))),
            "negatives_known": known,
            "self_pair": self_pair,
            "is_an_edge": is_edge,
        }
    )
    return Table("edge_scores", rows, lambda row: f"train edge {row['source']} - {row['target']} and its negatives")


def _size_table(name: str, sizes: Sequence[tuple[str, int, int, int | None]]) -> Table:
    """A row for each (what, found, at least, at most or None)."""
    rows = pd.DataFrame(
        {
            "what": [what for what, *_ in sizes],
            "found": [found for _, found, _, _ in sizes],
            "expected": [f"{low}" if low == high else f"at least {low}" for _, _, low, high in sizes],
            "as_expected": [low <= found and (high is None or found <= high) for _, found, low, high in sizes],
        }
    )
    return Table(name, rows, lambda row: f"{row['what']}: expected {row['expected']}, found {row['found']}")


def _feature_flags(features: Tensor) -> tuple[Flags, Flags]:
    """Two flags of each node, bool [N]: all features of the node are finite; one at least is not zero."""
    if features.layout != torch.sparse_csr:
        return to_flags(torch.isfinite(features).all(1)), to_flags((features != 0).any(1))
    row = torch.arange(features.shape[0]).repeat_interleave(features.crow_indices().diff())
    bad = torch.bincount(row[~torch.isfinite(features.values())], minlength=features.shape[0])
    nonzero = torch.bincount(row[features.values() != 0], minlength=features.shape[0])
    return to_flags(bad == 0), to_flags(nonzero > 0)


def _in_largest_component(edges: Tensor, num_nodes: int) -> Flags:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    known = edges[:, ((edges >= 0) & (edges < num_nodes)).all(0)].numpy()
    ones = np.ones(known.shape[1], dtype=np.int8)
    _, component = connected_components(coo_array((ones, (known[0], known[1])), shape=(num_nodes, num_nodes)), False)
    largest: Flags = component == np.bincount(component, minlength=1).argmax()
    return largest


def _node_name(node_ids: tuple[str, ...], node: int) -> str:
    """The user's id of a node; its number where it has none."""
    known = 0 <= node < len(node_ids) and node_ids[node] and node_ids[node].strip()
    return node_ids[node] if known else f"node {node}"


def _pair_name(node_ids: tuple[str, ...], row: Mapping[str, Any]) -> str:
    return f"{_node_name(node_ids, row['source'])} - {_node_name(node_ids, row['target'])}"
