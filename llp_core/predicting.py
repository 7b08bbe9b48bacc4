"""New links by a model of the registry: scores of pairs, and the likeliest partners of a node.

No message passes: a node needs its features alone, so one that the graph has never seen is scored like any other.
"""

import difflib
import logging
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from llp_core import paths
from llp_core.config import load_params
from llp_core.datasets.files import changed_since, ids_of, types_of
from llp_core.datasets.tables import read_table
from llp_core.errors import InputError
from llp_core.evaluation import score_pairs
from llp_core.graph import csr, select_rows, stack_rows
from llp_core.models import LinkModel, NodeFeatures, load_model
from llp_core.names import Setting
from llp_core.processes import reuse_memory
from llp_core.progress import Progress
from llp_core.registry.serving import encoder_of, features_for, served_student
from llp_core.registry.versions import read_version
from llp_core.sampling import PairSpace
from llp_core.store import load
from llp_core.training.runs import resolve_device
from llp_core.types import Graph

logger = logging.getLogger(__name__)

IDS_LOOKED_AT = 10_000
"""For those like an unknown one, which takes a second; of more ids, those that stand nearest to it when sorted."""


class Recommended(NamedTuple):
    """The likeliest partners of some nodes, the best of a node first.

    Attributes:
        nodes: int64 [R], whose each is.
        partners: int64 [R].
        scores: float32 [R], logits.
    """

    nodes: Tensor
    partners: Tensor
    scores: Tensor


@dataclass(frozen=True, eq=False)
class Predictor:
    """A student, and the nodes that it may be asked about.

    Attributes:
        model: the student, on its device.
        node_ids: the user's id of each of N nodes.
        features: [N, F], as the student takes them.
        edges: int64 [2, E], which links there are.
        space: which pairs may have one.
    """

    model: LinkModel
    node_ids: tuple[str, ...]
    features: Tensor
    edges: Tensor
    space: PairSpace

    @classmethod
    def open(cls, root: Path, version: int, setting: Setting = "production", nodes: Path | None = None) -> Self:
        """The student that a version serves, for the nodes of the project's graph.

        Args:
            root: the project's folder.
            version: of the models.
            setting: whose student.
            nodes: CSV or Parquet with the columns of the project's nodes file: more nodes, and other values for those
                that the graph has.

        Raises:
            InputError: there is no such version or graph, they do not fit each other, or `nodes` does not hold what
                it must, or the data set is not made of columns.
        """
        reuse_memory()
        params = load_params(root / paths.PARAMS)
        student = served_student(root, version, setting)
        graph = load(Graph, root / paths.GRAPH)
        features = features_for(root, read_version(root, version), params, graph)
        if changed := changed_since(root / paths.RAW, params.data.files) if params.data.name == "files" else []:
            logger.warning(
                "%s changed since the last run: nodes and links that came or went since then are not known here. "
                "`llp run-flow full` or `retrain` takes them in.",
                " and ".join(changed),
            )
        ids, space = graph.node_ids, PairSpace.of(graph)
        if nodes is not None:
            encoder = encoder_of(root, version)
            if encoder is None:
                raise InputError(
                    f"{nodes}: data set {graph.name} is not made of columns, so no features can be made of this file. "
                    "Nodes of one's own are those of data set files."
                )
            table = read_table(nodes, str(nodes))
            given = ids_of(table, params.data.files)
            ids, row = _together(ids, given)
            features = select_rows(stack_rows(features, encoder.apply(table)), row)
            space = _with_nodes(space, types_of(table, graph.type_names or (), params.data.files), row)
        return cls(load_model(student, resolve_device(params.run)), ids, features, graph.edges, space)

    @cached_property
    def _index(self) -> "pd.Index[str]":
        return pd.Index(self.node_ids)

    def find(self, ids: Sequence[str]) -> Tensor:
        """int64: the nodes of these ids.

        Raises:
            InputError: there is no node of an id.
        """
        found = torch.from_numpy(self._index.get_indexer(pd.Index(ids)).astype(np.int64))
        unknown = (found < 0).nonzero().flatten().tolist()
        if unknown:
            name = ids[unknown[0]]
            ids_sorted = sorted(self.node_ids)
            first = max(bisect(ids_sorted, name) - IDS_LOOKED_AT // 2, 0)
            near = difflib.get_close_matches(name, ids_sorted[first : first + IDS_LOOKED_AT], n=3)
            meant = f" Is {' or '.join(map(repr, near))} meant?" if near else ""
            raise InputError(
                f"{name!r}: no node of the last run's graph has this id ({len(unknown)} of {len(ids)} are unknown)."
                f"{meant}"
            )
        return found

    def score(self, pairs: Tensor) -> Tensor:
        """Logits, float32 [P], of pairs, int64 [2, P]: the higher, the likelier. Only their nodes are encoded."""
        return score_pairs(self.model, self.features, pairs)

    @torch.inference_mode()
    def recommend(self, nodes: Tensor, top: int, among: Tensor | None = None) -> Recommended:
        """The likeliest partners of nodes, by the score of each pair: exact, in time of nodes times partners.

        A node is no partner of its own, nor are those that it has a link with.

        Args:
            nodes: int64 [M], distinct.
            top: at most so many for each.
            among: int64 [C], distinct, who may be a partner; without it every node of a type that links join with its
                own.
        """
        candidates = torch.arange(len(self.node_ids)) if among is None else among
        hidden = self._encode(among)
        own = hidden if among is None else self._encode(nodes)
        if among is None:
            self._tell_strangers(nodes)
        place = torch.full((len(self.node_ids),), -1)
        place[candidates] = torch.arange(candidates.numel())
        offsets, neighbors = csr(self.edges, len(self.node_ids))
        parts = [Recommended(nodes[:0], candidates[:0], torch.empty(0))]
        with Progress(nodes.numel(), "recommend") as progress:
            for number, node in enumerate(nodes.tolist()):
                logits = self.model.score_with_all(own[node if among is None else number], hidden)
                linked = place[neighbors[offsets[node] : offsets[node + 1]]]
                without = torch.cat((linked, place[node, None]))
                logits[without[without >= 0].to(logits.device)] = -torch.inf
                if among is None and self.space.node_type is not None:
                    other_types = ~self.space.may_join(nodes[number], candidates)
                    logits.masked_fill_(other_types.to(logits.device), -torch.inf)
                scores, best = (values.cpu() for values in logits.topk(min(top, logits.numel())))
                kept = scores > -torch.inf
                parts.append(Recommended(torch.full((int(kept.sum()),), node), candidates[best[kept]], scores[kept]))
                progress.advance()
        return Recommended(*(torch.cat(columns) for columns in zip(*parts, strict=True)))

    def _tell_strangers(self, nodes: Tensor) -> None:
        if self.space.node_type is None or self.space.joined is None:
            return
        strangers = nodes[~self.space.joined.any(0)[self.space.node_type[nodes]]].tolist()
        if strangers:
            logger.warning(
                "%s of %s nodes, such as %r, are of no type that a link of the graph joins, so no partner is named. "
                "Name the type in column data.files.node_type, or partners by --among.",
                f"{len(strangers):,}",
                f"{nodes.numel():,}",
                self.node_ids[strangers[0]],
            )

    def _encode(self, nodes: Tensor | None) -> Tensor:
        """Representations of some nodes, or of all of them."""
        features = self.features if nodes is None else select_rows(self.features, nodes)
        return self.model.encode(NodeFeatures.of(features, next(self.model.parameters()).device))


def _with_nodes(space: PairSpace, node_type: Tensor, row: Tensor) -> PairSpace:
    """The pairs with more nodes; those of a type that is not known, -1, have no partner.

    Args:
        space: of the graph.
        node_type: int64, of the rows of another table.
        row: of each node, in the graph's above that table's.
    """
    if space.node_type is None or space.joined is None:
        return PairSpace(row.numel())
    known = space.joined.shape[0]
    types = torch.cat((space.node_type, torch.where(node_type < 0, known, node_type)))[row]
    return PairSpace(row.numel(), types, torch.nn.functional.pad(space.joined, (0, 1, 0, 1)))


def _together(known: tuple[str, ...], given: tuple[str, ...]) -> tuple[tuple[str, ...], Tensor]:
    """All ids, those that are not known last, and for each its row in a table of the known above the given.

    Of an id in both the given row counts.
    """
    at = pd.Index(known).get_indexer(pd.Index(given))
    rows = np.arange(len(known), len(known) + len(given))
    row = np.arange(len(known))
    row[at[at >= 0]] = rows[at >= 0]
    fresh = tuple(name for name, place in zip(given, at, strict=True) if place < 0)
    return (*known, *fresh), torch.from_numpy(np.concatenate((row, rows[at < 0])))
