"""All that a report tells, read from the artefacts of a run."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from torch import Tensor

from llp_core import paths
from llp_core.config import Params, load_params
from llp_core.errors import InputError
from llp_core.git import git_state
from llp_core.machine import Machine, machine
from llp_core.names import METHODS, TEACHER, Setting
from llp_core.store import load, read_json
from llp_core.training.checkpoint import fingerprint
from llp_core.types import Evaluation, Graph, LatencyTable

T = TypeVar("T")


class Record(BaseModel):
    """Something read from JSON; what a report does not show is passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Epoch(Record):
    """One line of history.json.

    Attributes:
        candidate: which teacher; 0 for a student.
        epoch: from whichever number training counts.
        loss: what was minimised, mean over the epoch.
        valid_score: share, None where the epoch was not validated.
    """

    candidate: int = 0
    epoch: int
    loss: float
    valid_score: float | None


class Chosen(Record):
    """What model.json tells about the weights that were kept.

    Attributes:
        candidate: which teacher; 0 for a student.
    """

    candidate: int = 0
    best_epoch: int
    epochs: int
    valid_score: float


class Check(Record):
    """One rule that was checked, as findings.json holds it."""

    check: str
    table: str
    column: str
    passed: bool
    unexpected: int
    offenders: tuple[str, ...]
    observed: float | None
    expected: str


class Findings(Record):
    """findings.json of one stage."""

    checks: tuple[Check, ...]


@dataclass(frozen=True)
class Data:
    """The graph that the run is about.

    Attributes:
        name: of the data set.
        nodes, edges, features: counts; edges undirected.
        dropped: what the canonical form left out -> how many.
        sha256: of node ids, features, edges, weights and times; hexadecimal.
    """

    name: str
    nodes: int
    edges: int
    features: int
    dropped: Mapping[str, int]
    sha256: str


@dataclass(frozen=True)
class Training:
    """How one model was trained: the epochs of every candidate, and what was kept."""

    epochs: tuple[Epoch, ...]
    chosen: Chosen

    @property
    def candidates(self) -> dict[int, tuple[Epoch, ...]]:
        """The epochs of each candidate."""
        numbers = sorted({epoch.candidate for epoch in self.epochs})
        return {number: tuple(epoch for epoch in self.epochs if epoch.candidate == number) for number in numbers}


@dataclass(frozen=True)
class SettingResult:
    """All about one setting.

    Attributes:
        training: by method, the teacher first.
        findings: where checks ran (split, teacher scores) -> what they found.
    """

    setting: Setting
    evaluation: Evaluation
    latency: LatencyTable
    training: Mapping[str, Training]
    findings: Mapping[str, tuple[Check, ...]]

    @property
    def methods(self) -> tuple[str, ...]:
        """The teacher, then the students in the order of `METHODS`."""
        return tuple(method for method in (TEACHER, *METHODS) if method in self.evaluation.figures)


@dataclass(frozen=True)
class ReportContext:
    """What a report tells.

    Attributes:
        commit: of the project's folder, or "unknown".
        dirty: whether files differed from that commit; None where there is none.
        params: all settings, as params.yaml holds them now.
        machine: the one the report was made on.
        findings: of the checks of nodes and edges.
        settings: what was found in each setting; at least one.
    """

    data: Data
    commit: str
    dirty: bool | None
    params: Params
    machine: Machine
    findings: tuple[Check, ...]
    settings: tuple[SettingResult, ...]

    def __post_init__(self) -> None:
        if not self.settings:
            raise ValueError("settings: a report needs at least one")


def load_context(root: Path, settings: Sequence[Setting]) -> ReportContext:
    """Reads what the stages before the report have left.

    It does not ask whether they are up to date with params.yaml, whose settings it takes.

    Args:
        root: the project's folder.
        settings: to report, at least one.

    Raises:
        InputError: artefacts are missing, which the message names, or do not hold what they should.
    """
    _require_artefacts(root, settings)
    graph = load(Graph, root / paths.GRAPH)
    commit, dirty = git_state(root)
    return ReportContext(
        data=Data(
            name=graph.name,
            nodes=graph.num_nodes,
            edges=graph.num_edges,
            features=graph.features.shape[1],
            dropped=_read(dict[str, int], root / paths.GRAPH / "dropped.json"),
            sha256=content_hash(graph),
        ),
        commit=commit,
        dirty=dirty,
        params=load_params(root / paths.PARAMS),
        machine=machine(),
        findings=_read(Findings, root / paths.CHECKS / "findings.json").checks,
        settings=tuple(_load_setting(root, setting) for setting in settings),
    )


def _require_artefacts(root: Path, settings: Sequence[Setting]) -> None:
    needed = [paths.GRAPH, paths.CHECKS]
    for setting in settings:
        needed += [paths.split(setting), paths.teacher(setting), paths.teacher_scores(setting)]
        needed += [paths.students(setting), paths.evaluation(setting), paths.latency(setting)]
    missing = [path.as_posix() for path in needed if not (root / path).is_dir()]
    if missing:
        raise InputError(
            f"A report on {', '.join(settings)} needs artefacts that earlier stages make, and these are not there: "
            f"{', '.join(missing)}. Run `dvc repro` or `llp run-flow full`, or report on fewer settings."
        )


def _load_setting(root: Path, setting: Setting) -> SettingResult:
    evaluation = load(Evaluation, root / paths.evaluation(setting))
    latency = load(LatencyTable, root / paths.latency(setting))
    students = [method for method in METHODS if method in evaluation.figures]
    folders = {TEACHER: paths.teacher(setting)} | {method: paths.student(setting, method) for method in students}
    return SettingResult(
        setting=setting,
        evaluation=evaluation,
        latency=latency,
        training={method: _load_training(root / folder) for method, folder in folders.items()},
        findings={
            folder.name.replace("_", " "): _read(Findings, root / folder / "checks" / "findings.json").checks
            for folder in (paths.split(setting), paths.teacher_scores(setting))
        },
    )


def _load_training(folder: Path) -> Training:
    return Training(
        epochs=_read(tuple[Epoch, ...], folder / "history.json"), chosen=_read(Chosen, folder / "model.json")
    )


def _read(kind: type[T], path: Path) -> T:
    """What a JSON file holds, as a checked object of `kind`."""
    try:
        return TypeAdapter(kind).validate_python(read_json(path))
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise InputError(f"{path}: {place}: {problem['msg']}. Run the stage that makes it again.") from None


def content_hash(graph: Graph) -> str:
    """SHA-256 of what a graph holds, whatever files it lies in."""
    values = {field.name: getattr(graph, field.name) for field in dataclasses.fields(graph)}
    tensors = {name: value for name, value in values.items() if isinstance(value, Tensor)}
    return fingerprint({"ids": graph.node_ids, "types": graph.type_names}, tensors)


def without_folders(value: Any) -> Any:
    """A setting with absolute paths cut to their last part: a report tells nothing of where things lay."""
    if isinstance(value, Mapping):
        return {key: without_folders(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_folders(item) for item in value]
    if isinstance(value, str):
        for kind in (PurePosixPath, PureWindowsPath):
            if kind(value).is_absolute():
                return f"…/{kind(value).name}"
    return value
