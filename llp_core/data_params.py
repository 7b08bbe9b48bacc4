"""The sections of params.yaml about data: where it comes from, what it must hold, and how it is split."""

import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator

from llp_core.errors import InputError
from llp_core.section import Positive, Section, Share, problems


class FilesParams(Section):
    """One's own graph, read from a nodes file and an edges file (CSV or Parquet)."""

    nodes: str
    """Path of the nodes file: one row a node."""
    edges: str
    """Path of the edges file: one row an edge."""
    id: str
    """Column of the nodes file that holds the node's id."""
    node_type: str | None = None
    """Column of the nodes file with each node's type, such as user and item, or null. Where it is given, pairs without
    an edge join types that edges join, and so do the links that `llp recommend` names."""
    source: str
    """Column of the edges file that holds the id of an edge's one end."""
    target: str
    """Column of the edges file that holds the id of its other end."""
    weight: str | None
    """Column of the edges file with the edge's weight, or null. Kept and checked; no model uses it."""
    time: str | None
    """Column of the edges file with the edge's time, or null: dates, or whole numbers. See `split.by`."""
    columns: dict[str, Literal["number", "category", "text", "ignore"]]
    """How to read a feature column, where the guess is wrong."""
    max_words: Positive
    """At most this many words of a text column, or values of a category column, become features."""

    @model_validator(mode="after")
    def _require_two_ends(self) -> Self:
        if self.source == self.target:
            raise ValueError(f"source and target: both are column {self.source!r}; name the column of either end")
        return self


class DataParams(Section):
    """Which data set, and where its raw files come from."""

    name: str
    """A name that `llp dataset list` shows."""
    mirror: str | None
    """A folder laid out as PyG's and OGB's raw folders, to copy from instead of downloading.
    The variable LLP_DATA_MIRROR takes its place where it is null."""
    files: FilesParams

    def mirror_folder(self) -> Path | None:
        """The mirror to use: the setting, else the variable LLP_DATA_MIRROR, else None."""
        chosen = self.mirror or os.environ.get("LLP_DATA_MIRROR")
        return Path(chosen) if chosen else None


class ValidateParams(Section):
    """What the checks demand of nodes and edges."""

    min_nodes: Positive
    """The graph has at least this many nodes."""
    min_edges: Positive
    """The graph has at least this many edges."""
    max_featureless_share: Annotated[float, Field(ge=0, le=1)]
    """At most this share of the nodes may have no feature other than zero."""
    min_component_share: Annotated[float, Field(ge=0, le=1)]
    """The largest connected component holds at least this share of the nodes."""


class TransductiveParams(Section):
    """All nodes are known; some edges are held out."""

    valid_share: Share
    """Of all edges, to choose the epoch."""
    test_share: Share
    """Of all edges, scored once at the end."""

    @model_validator(mode="after")
    def _some_edges_train(self) -> Self:
        if self.valid_share + self.test_share >= 1:
            raise ValueError("valid_share and test_share must add up to less than 1")
        return self


class ProductionParams(Section):
    """Some nodes and edges appear after training. Cold start uses the same split."""

    new_node_share: Share | None
    """Of all nodes, unknown while training.
    Null takes the data set's own: 0.3 for small graphs and 0.1 for others, as the paper does."""
    test_share: Share | None
    """Of each kind of edge (old-old, old-new, new-new). Null as for new_node_share."""
    valid_share: Share
    """Of the edges among old nodes, to choose the epoch."""
    extra_share: Share
    """Of the edges among old nodes, unknown while training and passed messages over at inference."""

    @model_validator(mode="after")
    def _some_edges_train(self) -> Self:
        if (self.test_share or 0) + self.valid_share + self.extra_share >= 1:
            raise ValueError("test_share, valid_share and extra_share must add up to less than 1")
        return self


class SplitParams(Section):
    """How edges are held out."""

    seed: Annotated[int, Field(ge=0)]
    """Of the split alone, so that models are compared on the same one."""
    by: Literal["hash", "time"] = "hash"
    """What is held out: edges and new nodes drawn by a hash of their ids, or the latest edges. By time, production's
    test_share, then extra_share and valid_share, are the latest of all edges; a node is new whose first edge is extra
    or test, and new_node_share says nothing. Graphs without times, as most published ones are, cannot be split so."""
    transductive: TransductiveParams
    production: ProductionParams

    def with_shares_of(self, new_node_share: float, test_share: float) -> Self:
        """The same settings, with a data set's own shares where production leaves them null.

        Raises:
            InputError: the shares leave no edge to train on.
        """
        chosen = self.production.model_dump()
        own = {"new_node_share": new_node_share, "test_share": test_share}
        chosen |= {name: share for name, share in own.items() if chosen[name] is None}
        try:
            return self.model_copy(update={"production": ProductionParams(**chosen)})
        except ValidationError as error:
            told = problems(error, "split", "production")
            raise InputError(f"{told}; the data set's own test_share is {test_share}") from None
