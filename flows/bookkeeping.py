"""DVC's bookkeeping around a stage that runs as a function of this process.

The graph of stages is read from dvc.yaml through DVC itself, and a stage leaves behind what `dvc repro` would
have left: an entry in dvc.lock, its outputs in DVC's cache, and an entry in DVC's run cache. So `dvc repro`
and the flows know of each other's work. Some of what is used here is inside DVC: pyproject.toml pins its version.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from llp_core.dvc_repo import dvc_repo, unlocked
from llp_core.errors import InputError, LLPError
from llp_core.names import SETTINGS

if TYPE_CHECKING:
    from dvc.repo import Repo
    from dvc.stage import Stage

Outcome = Literal["up to date", "restored", "ran"]


@dataclass(frozen=True)
class StageEntry:
    """What dvc.yaml says of one stage.

    Attributes:
        address: as `dvc repro` takes it: the name, and for a stage of one setting `name@setting`.
        after: addresses of the stages whose outputs it reads.
        alone: nothing else may run beside it.
        retries: how many times it is tried again after a failure.
    """

    address: str
    after: frozenset[str]
    alone: bool
    retries: int

    @property
    def name(self) -> str:
        """The stage, whatever the setting."""
        return self.address.partition("@")[0]

    @property
    def setting(self) -> str | None:
        """The setting it belongs to, None for a stage that belongs to all."""
        return self.address.partition("@")[2] or None


def read_stages(root: Path) -> tuple[StageEntry, ...]:
    """The stages of dvc.yaml in `root`, each after those that it depends on.

    Raises:
        InputError: there is no dvc.yaml.
        LLPError: DVC does not accept it.
    """
    if not (root / "dvc.yaml").is_file():
        raise InputError(f"{root / 'dvc.yaml'}: not found. Run llp in the project's folder, the one that holds it.")
    with dvc_repo(root) as repo:
        graph = repo.index.graph
        entries = {stage.addressing: _entry(stage, graph.successors(stage)) for stage in _pipeline(repo)}
    order = TopologicalSorter({address: entry.after for address, entry in entries.items()}).static_order()
    return tuple(entries[address] for address in order)


def _pipeline(repo: "Repo") -> "list[Stage]":
    """The stages of dvc.yaml; DVC also counts as one each FILE.dvc, that notes what `dvc add` put into its cache."""
    return [stage for stage in repo.index.stages if not stage.is_data_source]


def _entry(stage: "Stage", dependencies: "Iterable[Stage]") -> StageEntry:
    meta = stage.meta or {}
    return StageEntry(
        address=stage.addressing,
        after=frozenset(dependency.addressing for dependency in dependencies if not dependency.is_data_source),
        alone=bool(meta.get("alone", False)),
        retries=int(meta.get("retries", 0)),
    )


def run_recorded(root: Path, address: str, function: Callable[[], object]) -> Outcome:
    """Brings one stage up to date and records it in DVC as `dvc repro` does.

    A stage that is up to date is left alone. One whose outputs, for just these dependencies and parameters, are
    in DVC's cache gets them from there. For any other `function` is called, which must put its outputs in place
    of the former ones; they stay where they are until it does, so a function that raises changes nothing.

    Args:
        root: the project's folder.
        address: of the stage in dvc.yaml.
        function: the stage's body. DVC is not locked while it runs.

    Raises:
        InputError: a file that the stage depends on is missing.
        LLPError: DVC could not do its part, or a dependency changed while the function ran.
    """
    from dvc.stage.decorators import rwlocked

    # Other processes' DVC keeps off what the stage reads and writes.
    @rwlocked(read=["deps"], write=["outs"])  # type: ignore[untyped-decorator]
    def bring_up_to_date(stage: "Stage", repo: "Repo") -> Outcome:
        outcome: Outcome = "restored"
        if not _restore(stage, repo):
            with unlocked(repo):
                function()
            _require_same_dependencies(stage)
            outcome = "ran"
        stage.save()
        stage.commit()
        _note(stage)
        return outcome

    with dvc_repo(root) as repo:
        stage = repo.stage.get_target(address)
        if not stage.changed():
            return "up to date"
        _require_dependencies(stage)
        return cast(Outcome, bring_up_to_date(stage, repo))


def _note(stage: "Stage") -> None:
    """Notes a stage in dvc.lock, through a copy: DVC writes it in place, and a kept half ends every later command."""
    from dvc.dvcfile import Lockfile

    from llp_core.store import atomic_file

    path = Path(stage.dvcfile._lockfile.path)
    with atomic_file(path) as temporary:
        if path.exists():
            shutil.copyfile(path, temporary)
        Lockfile(stage.repo, str(temporary)).dump(stage)


def stage_status(root: Path) -> dict[str, list[str]]:
    """Address -> why it is not up to date, of every stage in order; empty for one that is.

    The reasons are those of `dvc status`, and the stages that are to run before it.
    """
    stages = read_stages(root)
    with dvc_repo(root) as repo:
        own = {stage.addressing: list(_reasons(stage)) for stage in _pipeline(repo)}
    reasons: dict[str, list[str]] = {}
    for stage in stages:
        first = sorted(address for address in stage.after if reasons[address])
        comes_first = [f"{first[0]} comes first" if len(first) == 1 else f"{len(first)} stages come first"] * bool(
            first
        )
        reasons[stage.address] = own[stage.address] + comes_first
    return reasons


def require_up_to_date(root: Path, settings: Iterable[str] = SETTINGS) -> None:
    """Demands that what the last run left is of the present data and settings, whatever the report is of.

    Args:
        root: the project's folder.
        settings: whose stages to look at, beside those that belong to none.

    Raises:
        InputError: a stage is not up to date.
    """
    looked_at = {"", *settings}
    stale = [
        address
        for address, reasons in stage_status(root).items()
        if reasons and address != "report" and address.partition("@")[2] in looked_at
    ]
    if stale:
        raise InputError(
            f"{', '.join(stale[:3])}{' and others' * (len(stale) > 3)}: not up to date, so that what the last run left "
            "is not of the present data and settings. Run `llp run-flow full` first; `llp status` tells why."
        )


def _require_dependencies(stage: "Stage") -> None:
    for dependency in stage.deps:
        if not dependency.exists:
            raise InputError(
                f"{dependency}: not found. Stage {stage.addressing} reads it, as dvc.yaml says. Put it there, or, if "
                "params.yaml names it (`llp params show`), name another."
            )


def _require_same_dependencies(stage: "Stage") -> None:
    if stage.changed_deps():
        raise LLPError(
            f"{stage.addressing}: a file or a setting that it depends on changed while it ran, so that what it made "
            "cannot be recorded. Run it again."
        )


def _restore(stage: "Stage", repo: "Repo") -> bool:
    """Puts outputs made earlier from the very same dependencies in place, if DVC's cache holds them.

    Leaves the dependencies' present state noted in `stage`.
    """
    from dvc.stage.cache import RunCacheNotFoundError
    from dvc_data.hashfile.hash_info import HashInfo

    recorded = stage.already_cached()
    if not recorded:
        stage.save_deps()
        # Else DVC would take the outputs of the last run for those of the present dependencies.
        for output in stage.outs:
            output.hash_info = HashInfo()
    try:
        repo.stage_cache.restore(stage, dry=True)
    except RunCacheNotFoundError:
        stage.save_deps()
        return False
    stage.remove_outs()
    repo.stage_cache.restore(stage)
    return True


def _reasons(stage: "Stage") -> Iterator[str]:
    """What makes a stage stale by itself, such as "student.margin changed from 0.1 to 0.2"."""
    from dvc.dependency.param import ParamsDependency

    if not any(output.hash_info for output in stage.outs):
        yield "never ran"
        return
    if stage.changed_stage():
        yield "its command in dvc.yaml changed"
    for item in (*stage.deps, *stage.outs):
        if isinstance(item, ParamsDependency):
            yield from _changed_settings("", item.hash_info.value, item.read_params())
        else:
            yield from (f"{path} {state}" for path, state in item.status().items())


def _changed_settings(prefix: str, before: Any, now: Any) -> Iterator[str]:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys([*before, *now]):
            yield from _changed_settings(f"{prefix}.{key}" if prefix else key, before.get(key), now.get(key))
    elif before != now:
        yield f"{prefix} changed from {before} to {now}"
