"""The start of live data, and its growth: files in, a new version out."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from llp_core.checks import check_graph
from llp_core.config import Params
from llp_core.datasets import get_dataset
from llp_core.datasets.tables import Table, read_table, require_table_file
from llp_core.errors import CheckFailed, InputError, is_of_the_machine
from llp_core.live.changes import CHANGE
from llp_core.live.graph import LiveGraph, assemble, read_live, write_live
from llp_core.live.history import line_of, publish, recorded_versions, require_current, settled
from llp_core.live.intake import Offer, offers, put_away, quarantine
from llp_core.live.merging import Merged, merge_sound
from llp_core.live.records import (
    EDGES,
    LIVE,
    NODES,
    STAGING,
    Counts,
    DataVersion,
    FileReport,
    IngestReport,
    Source,
)
from llp_core.store import sha256


def start(root: Path, params: Params) -> int:
    """Makes version 1 of the files that `data.files` names; where there is live data already, leaves it as it is.

    Returns:
        The number of the version in use.

    Raises:
        InputError: a file does not hold what it must, or there are versions but no live data.
        CheckFailed: the graph does not hold what it must.
    """
    with settled(root):
        if (root / LIVE).exists() or recorded_versions(root):
            return require_current(root).number
        raw = root / STAGING / "raw"
        raw.mkdir(parents=True)
        files = params.data.files
        given = {"nodes": files.nodes, "edges": files.edges}
        for name, path in given.items():
            require_table_file(root / path, path)
            shutil.copyfile(root / path, raw / f"{name}{Path(path).suffix}")
        tables = {name: read_table(raw / f"{name}{Path(path).suffix}", path) for name, path in given.items()}
        for table in tables.values():
            _require_no_change(table)
        graph = get_dataset("files").load(raw, params.data).graph
        findings = check_graph(graph, params.validate_)
        if not findings.passed:
            told = f"{len(findings.failed)} of {len(findings.checks)} checks failed"
            raise CheckFailed(f"{files.nodes}, {files.edges}: {told}:\n{findings.told}")
        live = assemble(tables["nodes"], tables["edges"], files)
        counts = Counts(nodes_added=live.num_nodes, edges_added=live.num_edges)
        sources = (
            Source(Path(files.nodes).name, sha256(tables["nodes"].path), Counts(nodes_added=live.num_nodes)),
            Source(Path(files.edges).name, sha256(tables["edges"].path), Counts(edges_added=live.num_edges)),
        )
        return publish(root, _written(root, live), _sizes(live), counts, sources)


def ingest(root: Path, files: Sequence[Path] | None, params: Params) -> IngestReport:
    """Takes files of new, changed and removed nodes and edges into the live data, as one new version.

    Each file is taken as a whole or not at all; one that is not goes to data/quarantine with the reason beside it. A
    file that was taken before, or that says nothing new, changes nothing. Files in data/incoming go away once the
    version is written; others stay where they are.

    Args:
        root: the project's folder.
        files: what to take; None for all in data/incoming, by name.
        params: names of the columns, and what the checks demand.

    Raises:
        InputError: there is no live data, it is not as it was written, or a file that was named is not there.
        LLPError: DVC could not record the version; the next ingest does.
        OSError, MemoryError: the disk is full, or something of the kind. No file is blamed for it, and none moved.
    """
    with settled(root):
        before = require_current(root)
        offered = offers(root, files)
        merged = _take(root, before, offered, params)
        after = _publish(root, before, merged)
        refused = {offer: offer.refused for offer in offered if offer.refused} | dict(merged.refused)
        os.sync()  # a power cut must not find the file gone and the version not yet on the disk
        for offer in offered:
            if offer in refused:
                quarantine(root, offer, refused[offer])
            else:
                put_away(offer)
        reports = [_report(offer, merged, refused.get(offer)) for offer in offered]
        return IngestReport(before.number, after, tuple(reports))


def _take(root: Path, before: DataVersion, offered: Sequence[Offer], params: Params) -> Merged:
    """Puts those files into the graph that can be, and were not before."""
    live = read_live(root / LIVE, params.data.files)
    seen = {source.sha256 for version in line_of(root, before) for source in version.sources}
    readable: dict[str, Offer] = {}
    for offer in offered:
        if not offer.refused and offer.sha256 not in seen:
            readable.setdefault(offer.sha256, offer)
    merged = merge_sound(live, list(readable.values()), lambda graph: _fault(root, graph, params))
    refused = {offer.sha256: reason for offer, reason in merged.refused.items()}
    twins = {offer: refused[offer.sha256] for offer in offered if offer.sha256 in refused}
    return Merged(merged.graph, merged.taken, twins)


def _publish(root: Path, before: DataVersion, merged: Merged) -> int:
    """The number of the version that holds what was taken: a new one, if it differs from the one before."""
    counts = sum(merged.taken.values(), Counts())
    if not counts:
        return before.number
    folder = _written(root, merged.graph)
    if all(sha256(folder / name) == digest for name, digest in before.files.items()):
        return before.number  # one file took back what another did
    sources = tuple(Source(offer.name, offer.sha256, own) for offer, own in merged.taken.items())
    return publish(root, folder, _sizes(merged.graph), counts, sources)


def _fault(root: Path, graph: LiveGraph, params: Params) -> str | None:
    """What keeps the pipeline from using a graph, if anything does."""
    names = {"nodes": str(LIVE / NODES), "edges": str(LIVE / EDGES)}
    data = params.data.model_copy(update={"files": params.data.files.model_copy(update=names)})
    try:
        loaded = get_dataset("files").load(_written(root, graph), data).graph
        return check_graph(loaded, params.validate_).told or None
    except InputError as error:
        return str(error)
    except Exception as error:  # whatever a file brought in, it must not keep the others out
        if is_of_the_machine(error):
            raise
        return f"{type(error).__name__}: {error}"


def _written(root: Path, graph: LiveGraph) -> Path:
    folder = root / STAGING / "graph"
    folder.mkdir(parents=True, exist_ok=True)
    write_live(graph, folder)
    return folder


def _sizes(graph: LiveGraph) -> dict[str, int]:
    return {"nodes": graph.num_nodes, "edges": graph.num_edges}


def _require_no_change(table: Table) -> None:
    if CHANGE in table.data.column_names:
        raise InputError(
            f"{table.name}, line 1: expected no column {CHANGE!r}, which tells `llp ingest` what a row is for. "
            "Rename it."
        )


def _report(offer: Offer, merged: Merged, reason: str | None) -> FileReport:
    counts = merged.taken.get(offer, Counts())
    if reason is not None:
        return FileReport(offer.name, "quarantined", reason)
    return FileReport(offer.name, "taken" if counts else "known already", None, counts)
