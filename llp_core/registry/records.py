"""What is kept of each version of the models, and which one is in use. Importing this imports nothing heavy."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self

MANIFEST = "manifest.json"
CARD = "CARD.md"
PARAMS = "params.yaml"
ENCODER = "encoder.json"
TRAINED_ON = "trained_on.safetensors"
VERDICT = "verdict.json"
SMOKE = "smoke.json"
SMOKE_FEATURES = "smoke.safetensors"
METRICS = "metrics.json"
LATENCY = "latency.json"
"""Names within a version's folder; those of a setting lie in a folder of its name."""

CHAMPION = "champion.json"
"""In the registry: which version is in use, and what was before."""


def folder_name(number: int) -> str:
    """Of a version: v0001."""
    return f"v{number:04}"


class Judged(Protocol):
    """What the gate said of a candidate (`llp_core.gate.Verdict`)."""

    @property
    def candidate(self) -> str:
        """Its hash."""

    @property
    def champion(self) -> int | None:
        """The number of the version that was in use."""

    @property
    def settings(self) -> str:
        """A hash of those it was judged by."""

    def to_json(self) -> dict[str, Any]:
        """As a program reads it."""

    def to_markdown(self) -> str:
        """As people read it."""


@dataclass(frozen=True)
class DataUsed:
    """The graph that a version was trained on.

    Attributes:
        name: of the data set.
        version: of the live data; None where the graph is no version of it.
        nodes, edges, features: how many; edges are undirected.
        files: raw file -> sha256 of its content.
    """

    name: str
    version: int | None
    nodes: int
    edges: int
    features: int
    files: dict[str, str]


@dataclass(frozen=True)
class ModelVersion:
    """One version of the models, as manifest.json holds it.

    Attributes:
        number: from 1.
        made: when it was written, in UTC (ISO 8601).
        candidate: a hash of the weights and the encoder: what would score the same has the same.
        data: what it was trained on.
        commit: of the project, or "unknown" where there is no git.
        changed_since: whether files differed from that commit; None where that is unknown.
        versions: of this package and of PyTorch.
        files: each file of the folder but the manifest -> sha256 of its content.
    """

    number: int
    made: str
    candidate: str
    data: DataUsed
    commit: str
    changed_since: bool | None
    versions: dict[str, str]
    files: dict[str, str]

    @property
    def name(self) -> str:
        """Of its folder."""
        return folder_name(self.number)

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON has them."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The inverse of `to_json`.

        Raises:
            LookupError, TypeError: a field is missing or not known.
        """
        return cls(**{**values, "data": DataUsed(**values["data"])})


Switch = Literal["promoted", "rolled back", "failed"]


@dataclass(frozen=True)
class Event:
    """One switch of the model in use.

    Attributes:
        at: when, in UTC (ISO 8601).
        what: "promoted", "rolled back" by hand, or "failed" its smoke test after a promotion.
        version: the version that was in use afterwards; None where there was none.
        before: the one that was in use until then.
        why: in words.
        manifest: sha256 of the manifest of `version`; empty where there is none, or it was not here.
    """

    at: str
    what: Switch
    version: int | None
    before: int | None
    why: str
    manifest: str


@dataclass(frozen=True)
class Champion:
    """The model in use, and how it came to be. All of champion.json, which one rename replaces.

    Attributes:
        version: in use; None where there is none.
        former: versions that were in use before, the last one first: what a rollback goes back to.
        tested: whether the smoke test after the switch was passed.
        history: all switches, the first one first.
    """

    version: int | None
    former: tuple[int, ...]
    tested: bool
    history: tuple[Event, ...]

    @property
    def since(self) -> str:
        """When it came into use, in UTC (ISO 8601)."""
        return self.history[-1].at

    @property
    def why(self) -> str:
        """Why it came into use."""
        return self.history[-1].why

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON has them, with what a reader looks for first."""
        previous = self.former[0] if self.former else None
        shown = {"version": self.version, "since": self.since, "previous": previous, "why": self.why}
        return {**shown, **dataclasses.asdict(self)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`.

        Raises:
            LookupError, TypeError: a field is missing or not known.
        """
        history = tuple(Event(**each) for each in values["history"])
        return cls(values["version"], tuple(values["former"]), values["tested"], history)
