"""What is kept and told of each version of the live data. Importing this imports nothing heavy."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

Status = Literal["taken", "known already", "quarantined"]

LIVE = Path("data/live")
"""The graph that changes: `NODES`, `EDGES` and `VERSION`."""
NODES, EDGES, VERSION = "nodes.parquet", "edges.parquet", "version.json"
VERSIONS = Path("data/versions")
"""A JSON file for each version: 0001.json and so on."""
INCOMING = Path("data/incoming")
"""Files dropped here are taken by the next ingest."""
QUARANTINE = Path("data/quarantine")
"""Files that could not be taken, each with its reason beside it."""
STAGING = Path("data/.ingest")
"""Of an ingest under way."""


@dataclass(frozen=True)
class Counts:
    """How many nodes and undirected edges came, went or have other values."""

    nodes_added: int = 0
    nodes_removed: int = 0
    nodes_changed: int = 0
    edges_added: int = 0
    edges_removed: int = 0

    def __add__(self, other: Self) -> Self:
        pairs = zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)
        return type(self)(*(own + more for own, more in pairs))

    def __bool__(self) -> bool:
        return any(dataclasses.astuple(self))

    def __str__(self) -> str:
        """What is not zero: `3 nodes added, 1 edge removed`."""
        told = []
        for name, count in dataclasses.asdict(self).items():
            things, _, verb = name.partition("_")
            told += [f"{count:,} {things[:-1] if count == 1 else things} {verb}"] if count else []
        return ", ".join(told) or "nothing"


@dataclass(frozen=True)
class Source:
    """A file that a version was made from.

    Attributes:
        name: of the file, without its folder.
        sha256: of its content.
        counts: what it changed.
    """

    name: str
    sha256: str
    counts: Counts


@dataclass(frozen=True)
class DataVersion:
    """One version of the live data.

    Attributes:
        number: from 1.
        made: when, in UTC (ISO 8601).
        after: the version that it was made from; None for the first.
        nodes, edges: how many it has; edges are undirected.
        counts: what changed since `after`.
        sources: the files it was made from, in the order they were taken.
        files: name -> sha256 of what is in `LIVE`.
        dvc: DVC's hash of the folder; empty until DVC has it.
    """

    number: int
    made: str
    after: int | None
    nodes: int
    edges: int
    counts: Counts
    sources: tuple[Source, ...]
    files: dict[str, str]
    dvc: str = ""

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON has them."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The inverse of `to_json`.

        Raises:
            TypeError: a field is missing or not known.
        """
        sources = tuple(Source(**{**each, "counts": Counts(**each["counts"])}) for each in values["sources"])
        return cls(**{**values, "counts": Counts(**values["counts"]), "sources": sources})


@dataclass(frozen=True)
class FileReport:
    """What became of one file.

    Attributes:
        name: of the file, without its folder.
        status: "known already" where it changed nothing, or was taken before.
        reason: why it was quarantined, else None.
        counts: what it changed.
    """

    name: str
    status: Status
    reason: str | None = None
    counts: Counts = Counts()


@dataclass(frozen=True)
class IngestReport:
    """What an ingest did.

    Attributes:
        before: number of the version that was in use.
        after: number of the one that is now; the same where nothing changed.
        files: one for each file, in the order given.
    """

    before: int
    after: int
    files: Sequence[FileReport]
