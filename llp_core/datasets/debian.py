"""Debian's packages and what they depend on, from a package index.

A node is a binary package of a section; an edge joins two of which one names the other in Depends,
Pre-Depends, Recommends or Suggests. A snapshot of the Python packages lies in `data/embedded/debian`.
"""

import dataclasses
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from llp_core import paths, store
from llp_core.config import DataParams
from llp_core.datasets.base import Dataset, Loaded
from llp_core.datasets.debian_packages import Package, open_index, read_packages
from llp_core.datasets.sparse import csr_tensor
from llp_core.errors import InputError
from llp_core.graph import canonical_edges, degrees
from llp_core.types import Graph

if TYPE_CHECKING:
    import pandas as pd

HUB_SHARE = 0.02
"""A package with edges to more than this share of all depends on everything and says nothing."""
MIN_PACKAGES_PER_FEATURE = 2
"""A token of fewer packages is no feature."""
FILES = ("nodes.parquet", "edges.parquet", "features.safetensors", "vocabulary.parquet")
MANIFEST = "manifest.json"
STAGE = "dataset debian"


@dataclass(frozen=True)
class Summary:
    """What a build holds.

    Attributes:
        section: that was asked for.
        date: of the build, UTC, as YYYY-MM-DD.
        index_sha256: of the package index it was made from.
        nodes, edges, features: how many there are.
        nonzeros: of the features.
        packages: of the section, before any was dropped.
        hubs: packages dropped because they have edges to more than `HUB_SHARE` of all.
        isolated: packages dropped because no edge was left to them.
    """

    section: str
    date: str
    index_sha256: str
    nodes: int
    edges: int
    features: int
    nonzeros: int
    packages: int
    hubs: int
    isolated: int


def build(packages: Iterable[str] | Path | None, section: str, output: Path) -> Summary:
    """Writes the graph of a section as a folder: `FILES`, and `MANIFEST` with their SHA-256.

    The same index gives the same bytes, with the same versions of the libraries. The date is today's, or that
    of the variable SOURCE_DATE_EPOCH (seconds since 1970), as reproducible builds have it.

    Args:
        packages: the lines of a package index, or a file of them (plain, .gz or .xz); None asks `apt-cache`.
        section: such as `python`, of every component, or `*` for the whole archive.
        output: a new folder, or an earlier build, which is replaced once the new one is complete.

    Raises:
        InputError: the index cannot be had or read, holds no edge in the section, or `output` is something else.
    """
    store.require_replaceable(output, STAGE)
    with open_index(packages) as (lines, origin):
        digest = hashlib.sha256()
        found = read_packages(_hashed(lines, digest), section, origin)
    nodes, edges, hubs = _graph(found)
    if not nodes:
        raise InputError(
            f"section {section!r}: no edge is left among its {len(found)} packages, since {hubs} of them have edges to "
            f"more than {100 * HUB_SHARE:g} % of all and are dropped. Take a larger section."
            if hubs
            else f"section {section!r}: its {len(found)} packages do not depend on each other: no edge."
        )
    features, vocabulary = _features(nodes)
    summary = Summary(
        section=section,
        date=_build_date(),
        index_sha256=digest.hexdigest(),
        nodes=len(nodes),
        edges=edges.shape[1],
        features=features.shape[1],
        nonzeros=features.values().numel(),
        packages=len(found),
        hubs=hubs,
        isolated=len(found) - hubs - len(nodes),
    )
    with store.new_folder(output, {"stage": STAGE, "section": section}) as folder:
        _write(folder, nodes, edges, features, vocabulary)
        sha256 = {file: store.sha256(folder / file) for file in FILES}
        store.write_json(folder / MANIFEST, dataclasses.asdict(summary) | {"sha256": sha256})
    return summary


def _graph(found: Mapping[str, Package]) -> tuple[list[Package], Tensor, int]:
    """The packages that stay, by name; their edges, int64 [2, E]; how many hubs were dropped."""
    names = sorted(found)
    number = {name: row for row, name in enumerate(names)}
    pairs = [(number[name], number[other]) for name in names for other in found[name].relations if other in number]
    edges = canonical_edges(torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2).T, len(names)).edges
    is_hub = degrees(edges, len(names)) > HUB_SHARE * len(names)
    edges = edges[:, ~is_hub[edges].any(0)]
    # A hub has lost its edges, so it goes with those that nothing is left to.
    kept, edges = torch.unique(edges, return_inverse=True)
    return [found[names[row]] for row in kept.tolist()], edges, int(is_hub.sum())


def _features(nodes: list[Package]) -> tuple[Tensor, Any]:
    """TF-IDF of the tokens, `sparse_csr` float32 [N, F], rows of length 1; and a table of what each column is."""
    import pandas as pd
    from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

    # Tokens are ready: each is its own word. Figures are float64 up to the end, so that the float32 in the
    # file does not hang on how a machine rounds.
    counter = CountVectorizer(analyzer=tuple, min_df=MIN_PACKAGES_PER_FEATURE, dtype="float64")
    try:
        counts = counter.fit_transform(node.tokens for node in nodes)
    except ValueError:
        raise InputError(
            f"The {len(nodes)} packages that depend on each other share no word, tag, maintainer or source, "
            "so they have no features. Take a larger section or index."
        ) from None
    table = pd.DataFrame(
        {
            "feature": pd.Series(counter.get_feature_names_out().tolist(), dtype="str"),
            "packages": counts.astype(bool).sum(axis=0).A1.astype("int32"),
        }
    )
    return csr_tensor(TfidfTransformer().fit_transform(counts)), table


def _write(folder: Path, nodes: list[Package], edges: Tensor, features: Tensor, vocabulary: Any) -> None:
    import pandas as pd

    names = pd.Series([node.name for node in nodes], dtype="str")
    architectures = pd.Series([node.architecture for node in nodes], dtype="str")
    sizes = pd.Series([node.installed_kib for node in nodes], dtype="int32")
    tables = {
        "nodes": pd.DataFrame({"package": names, "architecture": architectures, "installed_kib": sizes}),
        "edges": pd.DataFrame(edges.T.numpy().astype("int32"), columns=["source", "target"]),
        "vocabulary": vocabulary,
    }
    for name, table in tables.items():
        table.to_parquet(folder / f"{name}.parquet", index=False, compression="zstd")
    store.write_tensors(folder / "features.safetensors", {"features": features})


def _hashed(lines: Iterable[str], digest: "hashlib._Hash") -> Iterator[str]:
    """The lines, fed to the digest on their way."""
    for line in lines:
        digest.update(line.encode())
        yield line


def _build_date() -> str:
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    try:
        moment = datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)
    except (ValueError, OverflowError, OSError):
        raise InputError(f"SOURCE_DATE_EPOCH: expected seconds since 1970, got {epoch!r}.") from None
    return moment.date().isoformat()


def _download(folder: Path, params: DataParams) -> None:
    """Copies a build from `debian` in the mirror where it has one, else the embedded snapshot."""
    mirror = params.mirror_folder()
    source = paths.EMBEDDED / "debian"
    if mirror is not None and (mirror / "debian").is_dir():
        source = mirror / "debian"
    _read_manifest(source)
    for file in (*FILES, MANIFEST):
        shutil.copyfile(source / file, folder / file)


def _read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a build, once its files are found to be the ones it names."""
    if not (folder / MANIFEST).is_file():
        raise InputError(
            f"{folder / MANIFEST}: not found. Run llp in the project's folder, or make a graph with "
            "`llp dataset debian --output FOLDER` (docs/datasets.md)."
        )
    manifest: dict[str, Any] = store.read_json(folder / MANIFEST)
    try:
        expected_of = {file: manifest["sha256"][file] for file in FILES}
        incomplete = not {"hubs", "isolated"} <= manifest.keys()
    except (LookupError, TypeError):
        incomplete = True
    if incomplete:
        raise InputError(
            f"{folder / MANIFEST}: it is no manifest of a build. Restore it, or build the graph again with "
            "`llp dataset debian`."
        )
    for file, expected in expected_of.items():
        path = folder / file
        found = store.sha256(path) if path.is_file() else "no file"
        if found != expected:
            raise InputError(
                f"{path}: expected SHA-256 {expected} as in {MANIFEST}, found {found}. "
                "Restore the file, or build the graph again with `llp dataset debian`."
            )
    return manifest


class Build(NamedTuple):
    """The files of a build.

    Attributes:
        nodes: a table of package, architecture and installed_kib, a row each node.
        edges: int64 [2, E], rows of `nodes`.
        features: `sparse_csr` float32 [N, F].
        vocabulary: a table of what each column of the features is, and how many packages have it.
    """

    nodes: "pd.DataFrame"
    edges: Tensor
    features: Tensor
    vocabulary: "pd.DataFrame"


def read_build(folder: Path) -> Build:
    """Reads what `build` wrote; its files are taken to be sound."""
    import pandas as pd

    nodes, edges, vocabulary = (
        pd.read_parquet(folder / f"{name}.parquet") for name in ("nodes", "edges", "vocabulary")
    )
    features = store.read_tensors(folder / "features.safetensors")["features"]
    return Build(nodes, torch.tensor(edges.to_numpy(dtype="int64").T), features, vocabulary)


def _load(folder: Path, params: DataParams) -> Loaded:  # noqa: ARG001 (one signature for every data set)
    manifest = _read_manifest(folder)
    nodes, edges, features, _ = read_build(folder)
    graph = Graph("debian", tuple(nodes["package"].tolist()), features, edges)
    return Loaded(graph, {"hub packages": manifest["hubs"], "isolated packages": manifest["isolated"]})


DEBIAN = Dataset(
    name="debian",
    description="Debian's Python packages, joined where one depends on, recommends or suggests the other; "
    "features are words of name, description and tags, the maintainer and the source package",
    origin="data/embedded/debian, or a build of `llp dataset debian` in the mirror",
    nodes=3552,
    edges=9068,
    features=2976,
    new_node_share=0.3,
    test_share=0.3,
    download=_download,
    load=_load,
)
