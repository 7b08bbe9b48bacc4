"""The model card: a version for people, in Markdown, readable without this code."""

from collections.abc import Iterator
from pathlib import Path

from llp_core.config import Params
from llp_core.names import ALL_EDGES, EDGE_GROUPS, SETTINGS
from llp_core.registry.records import CARD, ENCODER, LATENCY, METRICS, ModelVersion
from llp_core.store import atomic_file, read_json

_SHOWN = {"hits_at_20": "Hits@20", "mrr": "MRR", "auc": "AUC"}


def write_card(folder: Path, version: ModelVersion, params: Params, verdict: str | None) -> None:
    """Writes the card into a version's new folder, which holds all else but the manifest.

    Args:
        folder: of the version.
        version: what it says of itself.
        params: as the models were trained.
        verdict: of the gate, in Markdown.
    """
    method = params.gate.method
    sections = [
        f"# Model {version.name}",
        "\n".join(_facts(version, method)),
        "## What it is for\n\nIt scores how likely two nodes are to be linked, from the features of the two nodes "
        "alone: no graph is needed. Scores of different versions are not on one scale. It knows nothing of nodes "
        "whose features are unlike those it was trained on; words and categories it never saw count for nothing.",
        "## Figures\n\nOn test edges of the data above, in percent.\n\n" + "\n".join(_figures(folder, method)),
        "## Latency\n\n" + "\n".join(_latency(folder, method)),
    ]
    if verdict is not None:
        sections.append("## The gate\n\n" + verdict.strip())
    sections.append("## Files\n\n" + _FILES + (_FILES_ENCODER if (folder / ENCODER).is_file() else _FILES_FEATURES))
    with atomic_file(folder / CARD) as temporary:
        temporary.write_text("\n\n".join(sections) + "\n", encoding="utf-8")


_FILES = """- `SETTING/METHOD/model.safetensors`, `model.json`: weights and sizes. An encoder: the features times each
  layer's weight plus its bias, ReLU between layers. A decoder: the results of two nodes multiplied number by number,
  then a hidden layer with ReLU, where there is one, and one output, the logit.
- `SETTING/metrics.json`, `latency.json`: all figures; `params.yaml`: all settings.
- `trained_on.safetensors`: hashes of the pairs that training saw as edges, to leave them out of later tests.
- `smoke.json`: known pairs with their scores; `manifest.json`: SHA-256 of each file, data and commit.
"""
_FILES_ENCODER = "- `encoder.json`: how the columns of a nodes table become features.\n"
_FILES_FEATURES = "- `smoke.safetensors`: the features of the known pairs' nodes; they come as the data set has them.\n"


def _facts(version: ModelVersion, method: str) -> Iterator[str]:
    data = version.data
    number = f", version {data.version} of the live data" if data.version is not None else ""
    yield "| | |\n|---|---|"
    yield f"| made | {version.made} |"
    yield f"| served | students of method `{method}`, one for each setting of link prediction |"
    yield f"| data | `{data.name}`{number}: {data.nodes:,} nodes, {data.edges:,} edges, {data.features:,} features |"
    yield f"| commit | {version.commit}{', with changes' if version.changed_since else ''} |"
    yield f"| made with | {', '.join(f'{name} {number}' for name, number in version.versions.items())} |"


def _figures(folder: Path, method: str) -> Iterator[str]:
    yield f"| setting | edges | method | {' | '.join(_SHOWN.values())} |"
    yield "|---|---|---|" + "---:|" * len(_SHOWN)
    methods = dict.fromkeys(("teacher", "label", method))
    for setting in SETTINGS:
        figures = read_json(folder / setting / METRICS)
        for group in (ALL_EDGES, *EDGE_GROUPS):
            for name in [name for name in methods if group in figures.get(name, {})]:
                values = " | ".join(f"{100 * figures[name][group][metric]:.1f}" for metric in _SHOWN)
                yield f"| {setting} | {group} | {name} | {values} |"


def _latency(folder: Path, method: str) -> Iterator[str]:
    yield "| setting | pairs in a request | p50 ms | p99 ms | device |\n|---|---:|---:|---:|---|"
    for setting in SETTINGS:
        table = read_json(folder / setting / LATENCY)
        for row in table["rows"]:
            if row["method"] == method and row["regime"] == "online":
                times = " | ".join(f"{1e3 * row[name]:.3f}" for name in ("p50_seconds", "p99_seconds"))
                yield f"| {setting} | {row['pairs']} | {times} | {table['device']} |"
