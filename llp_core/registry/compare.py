"""What differs between two versions of the models, and one line of each."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from llp_core.config import read_yaml
from llp_core.names import ALL_EDGES, EDGE_GROUPS, SETTINGS
from llp_core.registry.records import METRICS, PARAMS
from llp_core.registry.versions import open_version, served_method, version_folder
from llp_core.store import read_json

METRICS_SHOWN = ("hits_at_20", "mrr")


def figures_of(root: Path, number: int) -> dict[str, float]:
    """The served method's figures of a version: "production old-new hits_at_20" -> share."""
    folder = version_folder(root, number)
    method = served_method(root, number)
    found: dict[str, float] = {}
    for setting in SETTINGS:
        groups = read_json(folder / setting / METRICS).get(method, {})
        for group in [group for group in (ALL_EDGES, *EDGE_GROUPS) if group in groups]:
            found |= {f"{setting} {group} {metric}": groups[group][metric] for metric in METRICS_SHOWN}
    return found


def differing(root: Path, first: int, second: int) -> list[tuple[str, str, str]]:
    """What differs between two versions: name, in the first, in the second.

    The figures are each on its own test edges; how the two do on the same ones the gate tells.

    Raises:
        InputError: one is not there, or not as it was written.
    """
    sides = [_described(root, number) for number in (first, second)]
    names = list(dict.fromkeys([*sides[0], *sides[1]]))
    rows = [(name, sides[0].get(name, "-"), sides[1].get(name, "-")) for name in names]
    return [row for row in rows if row[1] != row[2]]


def _described(root: Path, number: int) -> dict[str, str]:
    version = open_version(root, number)
    data = version.data
    settings = read_yaml((version_folder(root, number) / PARAMS).read_text(encoding="utf-8"))
    return {
        "made": version.made,
        "commit": version.commit,
        **{f"made with {name}": each for name, each in version.versions.items()},
        "data": data.name,
        "data version": str(data.version if data.version is not None else "-"),
        "nodes": f"{data.nodes:,}",
        "edges": f"{data.edges:,}",
        "features": f"{data.features:,}",
        **{name: str(value) for name, value in _flat(settings)},
        **{name: f"{100 * value:.2f} %" for name, value in figures_of(root, number).items()},
    }


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
