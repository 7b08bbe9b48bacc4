"""Makes a version of the candidate."""

from pathlib import Path

import torch
from torch import Tensor

from llp_core import paths
from llp_core.config import Params, load_params
from llp_core.errors import LLPError
from llp_core.git import git_state
from llp_core.hashing import node_hashes, pair_hashes
from llp_core.live.history import versions as data_versions
from llp_core.machine import code_versions
from llp_core.names import SETTINGS
from llp_core.registry.candidate import candidate_hash, copy_candidate, hash_of, settings_hash
from llp_core.registry.card import write_card
from llp_core.registry.records import PARAMS, TRAINED_ON, VERDICT, DataUsed, Judged, ModelVersion
from llp_core.registry.smoke import write_smoke
from llp_core.registry.versions import (
    find_version,
    next_number,
    now,
    open_version,
    registry_lock,
    version_folder,
    write_manifest,
)
from llp_core.store import load, sha256, swapped_folder, write_json, write_tensors
from llp_core.types import Graph, LinkSplit


def register(root: Path, verdict: Judged | None = None) -> int:
    """Makes a version of the candidate; of a candidate that is one already, served method included, it makes none.

    Args:
        root: the project's folder.
        verdict: what the gate said of it, to be kept beside it.

    Returns:
        The version's number.

    Raises:
        InputError: the pipeline has not run in each setting.
        LLPError: the candidate or params.yaml changed since it was judged, or while they were copied.
    """
    with registry_lock(root):
        digest, params = candidate_hash(root), load_params(root / paths.PARAMS)
        if verdict is not None:
            _require_judged(verdict, digest, params)
        if (known := find_version(root, digest, params.gate.method)) is not None:
            return open_version(root, known).number
        number = next_number(root)
        with swapped_folder(version_folder(root, number)) as folder:
            _fill(root, folder, number, digest, params, verdict)
        return number


def _require_judged(verdict: Judged, digest: str, params: Params) -> None:
    changed = ["the candidate's models"] if verdict.candidate != digest else []
    changed += [str(paths.PARAMS)] if verdict.settings != settings_hash(params) else []
    if changed:
        raise LLPError(
            f"No version is made: {' and '.join(changed)} changed since the gate judged. Run `llp run-flow full`, then "
            "`llp model promote`, which judges again."
        )


def _fill(root: Path, folder: Path, number: int, digest: str, params: Params, verdict: Judged | None) -> None:
    copy_candidate(root, folder)
    copied = {str(path.relative_to(folder)): sha256(path) for path in folder.rglob("*") if path.is_file()}
    if hash_of(copied) != digest or load_params(folder / PARAMS) != params:
        raise LLPError(
            f"The candidate's models or {paths.PARAMS} changed while they were copied: another run is under way. Try "
            "again."
        )
    graph = load(Graph, root / paths.GRAPH)
    write_trained_on(root, folder, graph)
    write_smoke(root, folder, graph, params)
    if verdict is not None:
        write_json(folder / VERDICT, verdict.to_json())
    commit, changed = git_state(root)
    version = ModelVersion(
        number=number,
        made=now(),
        candidate=digest,
        data=_data_used(root, graph, params),
        commit=commit,
        changed_since=changed,
        versions=code_versions(),
        files={},
    )
    write_card(folder, version, params, verdict.to_markdown() if verdict else None)
    write_manifest(folder, version)


def write_trained_on(root: Path, folder: Path, graph: Graph) -> None:
    """Notes, for each setting, which pairs the models saw as edges: hashes, int64, ascending."""
    hashes = node_hashes(graph.node_ids)
    seen: dict[str, Tensor | None] = {}
    for setting in SETTINGS:
        split = load(LinkSplit, root / paths.split(setting))
        seen[setting] = torch.unique(pair_hashes(hashes, torch.cat((split.train_edges, split.valid_edges), dim=1)))
    write_tensors(folder / TRAINED_ON, seen)


def _data_used(root: Path, graph: Graph, params: Params) -> DataUsed:
    raw = root / paths.RAW
    files = {str(path.relative_to(raw)): sha256(path) for path in sorted(raw.rglob("*")) if path.is_file()}
    del files["made.json"]
    nodes, edges = graph.num_nodes, graph.num_edges
    return DataUsed(params.data.name, data_version_of(root, files), nodes, edges, graph.features.shape[1], files)


def data_version_of(root: Path, files: dict[str, str]) -> int | None:
    """The newest version of the live data that holds these files (name -> sha256), None where there is none."""
    held = [each.number for each in data_versions(root) if files and files.items() <= each.files.items()]
    return held[-1] if held else None
