"""Which trainings the tables are made of, and in which order."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from llp_core.config import Params, TeacherParams
from llp_core.datasets import get_dataset
from llp_core.errors import InputError, hint
from llp_core.names import METHOD_LOSSES, METHODS, SETTINGS, TEACHER, Method, Setting
from llp_core.training.batching import resolve_batching
from llp_core.tuned import for_dataset

REVISION = 2
"""Raised when the code of splits, training or metrics changes so that cells measured before no longer compare."""
OWN_REVISIONS: Mapping[str, int] = {"logit": 1}
"""How often that happened to one method alone, on top of `REVISION`."""

ALL_METHODS: tuple[str, ...] = (TEACHER, *METHODS)
STUDENT_ORDER: tuple[Method, ...] = ("label", "llp", "logit", "rank", "distribution", "representation")
"""Of training: first those that the claims are about; last the one that refuses a student of another width than the
teacher's, so that the others are done by then."""


class Runs(NamedTuple):
    """How often a data set is measured.

    Attributes:
        seeds: of the models, on each split.
        splits: how many.
        once: methods that are measured with the first seed on the first split alone.
    """

    seeds: int
    splits: int
    once: tuple[str, ...] = ()

    def of(self, method: str) -> int:
        """How many runs one method gets, over all splits."""
        return 1 if method in self.once else self.seeds * self.splits


_LIGHT = Runs(3, 1, ("logit", "representation", "rank", "distribution"))
PLAN: Mapping[str, Runs] = {
    **dict.fromkeys(("cora", "citeseer", "photos", "debian"), Runs(5, 2)),
    **dict.fromkeys(("computers", "physics"), _LIGHT),
    "cs": _LIGHT._replace(seeds=5),
}
"""The data sets of the tables. Any other is measured as the large ones are."""


class Cell(NamedTuple):
    """One measurement: a row of the results.

    Attributes:
        dataset: its name.
        setting: of link prediction.
        method: the teacher or a student's method.
        split: its seed.
        seed: of the models.
    """

    dataset: str
    setting: Setting
    method: str
    split: int
    seed: int


class Group(NamedTuple):
    """What the seeds and splits of a cell share."""

    dataset: str
    setting: Setting
    method: str


def group_of(cell: Cell) -> Group:
    """The group that a cell is one run of."""
    return Group(cell.dataset, cell.setting, cell.method)


@dataclass(frozen=True)
class Job:
    """Cells that share a teacher: of one setting, or of production and cold start, which train on the same edges.

    Attributes:
        cells: at least one, of one data set, split and seed.
        params: as they hold for these cells: nothing is left in `tuned`, and no share of the split is null.
    """

    cells: tuple[Cell, ...]
    params: Params

    @property
    def dataset(self) -> str:
        """The data set of all cells."""
        return self.cells[0].dataset

    @property
    def settings(self) -> tuple[Setting, ...]:
        """The settings of link prediction to score."""
        return tuple(setting for setting in SETTINGS if any(cell.setting == setting for cell in self.cells))

    @property
    def students(self) -> tuple[Method, ...]:
        """The methods to train, in this order."""
        return tuple(method for method in STUDENT_ORDER if any(cell.method == method for cell in self.cells))

    @property
    def with_teacher(self) -> bool:
        """Whether a cell is the teacher's."""
        return any(cell.method == TEACHER for cell in self.cells)

    @property
    def name(self) -> str:
        """Such as "cora-production+cold_start-split234-seed0"."""
        first = self.cells[0]
        return f"{first.dataset}-{'+'.join(self.settings)}-split{first.split}-seed{first.seed}"

    def without(self, done: Collection[Cell]) -> "Job | None":
        """The same with the cells that are not done; None where all are."""
        left = tuple(cell for cell in self.cells if cell not in done)
        return replace(self, cells=left) if left else None


def plan_jobs(
    params: Params,
    datasets: Sequence[str] | None = None,
    settings: Sequence[Setting] | None = None,
    methods: Sequence[str] | None = None,
    seeds: int | None = None,
    splits: int | None = None,
) -> list[Job]:
    """The jobs of the tables, breadth first: the first seed of every data set, small ones first, then the second.

    Args:
        params: whose sections hold for every data set; what was found for each takes the place of `tuned`.
        datasets: names; those of `PLAN` by default.
        settings: all three by default.
        methods: the teacher's name and students' methods; all by default.
        seeds: how many, for every method; those of `PLAN` by default.
        splits: the same; methods that are measured once stay so where seeds are not given.

    Raises:
        InputError: there is no such data set, setting or method, or less than one seed or split is asked for.
    """
    names = list(dict.fromkeys(datasets or PLAN))
    _require_known("setting", settings or (), SETTINGS)
    _require_known("method", methods or (), ALL_METHODS)
    for name, number in (("seeds", seeds), ("splits", splits)):
        if number is not None and number < 1:
            raise InputError(f"{name}: at least 1 is needed, got {number}.")
    jobs = []
    for name in names:
        runs = PLAN.get(name, _LIGHT)
        if seeds is not None or splits is not None:
            runs = Runs(seeds or runs.seeds, splits or runs.splits, runs.once if seeds is None else ())
        jobs += list(_jobs(_params_for(params, name), settings or SETTINGS, methods or ALL_METHODS, runs))
    return sorted(jobs, key=lambda job: (job.cells[0].seed, job.cells[0].split, get_dataset(job.dataset).edges or 0))


def settings_text(job: Job, cell: Cell) -> str:
    """What a cell's figures depend on beside its seeds and the machine, as JSON: cells with the same text compare.

    Settings that a method does not use are left out, so that a change of them leaves its cells as they are.
    """
    params, transductive = job.params, cell.setting == "transductive"
    shares = params.split.transductive if transductive else params.split.production
    used: dict[str, object] = {
        "revision": REVISION + OWN_REVISIONS.get(cell.method, 0),
        "precision": params.run.precision,
        "split": shares.model_dump(mode="json"),
    }
    teacher = _teacher_settings(params.teacher, get_dataset(cell.dataset).nodes)
    if cell.method == TEACHER:
        used["teacher"] = teacher
        return json.dumps(used)
    losses = METHOD_LOSSES[next(method for method in METHODS if method == cell.method)]
    student = params.student.model_dump(mode="json", exclude={"methods"})
    unused = {f"{loss}_weight" for loss in ("label", "logit", "representation", "rank", "distribution")}
    unused -= {f"{loss}_weight" for loss in losses}
    unused |= set() if "rank" in losses else {"margin"}
    unused |= set() if "distribution" in losses else {"temperature"}
    unused |= set() if {"rank", "distribution"} & set(losses) else {"match"}
    unused |= set() if params.student.members > 1 else {"members"}
    unused |= set() if params.student.optimizer == "muon" else {"optimizer"}
    if losses == ("label",):
        unused |= {"start", "optimizer"}
    else:
        used |= {"teacher": teacher, "contexts": params.contexts.model_dump(mode="json")}
    return json.dumps(used | {"student": {key: value for key, value in student.items() if key not in unused}})


@lru_cache
def ground_of(settings: str, method: str) -> str:
    """What of a cell's `settings_text` the cells of two methods must share to compare."""
    known = json.loads(settings)
    revision = known["revision"] - OWN_REVISIONS.get(method, 0)
    return json.dumps([revision, known.get("precision"), known.get("split")])


def _teacher_settings(params: TeacherParams, num_nodes: int | None) -> dict[str, object]:
    """Without those of batching where each step encodes all of so many nodes, or of the fewer that training sees."""
    full = num_nodes is not None and resolve_batching(params, num_nodes) == "full"
    unused = {"batching", "fanouts"} if full else set()
    unused |= set() if params.optimizer == "muon" else {"optimizer"}
    return params.model_dump(mode="json", exclude=unused)


def _jobs(params: Params, settings: Sequence[Setting], methods: Sequence[str], runs: Runs) -> Iterator[Job]:
    for seed in range(runs.seeds):
        for split in range(runs.splits):
            wanted = [method for method in methods if seed == split == 0 or method not in runs.once]
            split_seed = params.split.seed + split
            for together, own in _alike(params, [setting for setting in SETTINGS if setting in settings]):
                cells = tuple(
                    Cell(params.data.name, setting, method, split_seed, seed)
                    for setting in together
                    for method in ALL_METHODS
                    if method in wanted
                )
                if cells:
                    own_split = own.split.model_copy(update={"seed": split_seed, "by": "hash"})
                    yield Job(cells, own.model_copy(update={"split": own_split}))


def _alike(params: Params, settings: Sequence[Setting]) -> list[tuple[tuple[Setting, ...], Params]]:
    """The settings, production and cold start in one where their models are the same."""
    own = {setting: params.of(setting) for setting in settings}
    shared = {"production", "cold_start"}
    if shared <= own.keys() and own["production"] == own["cold_start"]:
        rest = [((setting,), own[setting]) for setting in settings if setting not in shared]
        return [*rest, (("production", "cold_start"), own["production"])]
    return [((setting,), own[setting]) for setting in settings]


def _params_for(params: Params, name: str) -> Params:
    dataset = get_dataset(name)
    if name == "files":
        raise InputError(
            "files: the tables keep what was measured once, and one's own graph may change in between. Measure it "
            "with `llp run-flow full --dataset files`."
        )
    own = for_dataset(params, name)
    split = own.split.with_shares_of(dataset.new_node_share, dataset.test_share)
    return own.model_copy(update={"split": split})


def _require_known(kind: str, names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise InputError(f"{kind} {name!r} is not known. {hint(name, known)}")
