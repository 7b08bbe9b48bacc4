"""What the tests of the stages share: settings with which every stage takes a moment, and what to compare."""

from pathlib import Path

from llp_core.names import SETTINGS, Setting
from llp_core.stages import STAGES, run_stage

ROOT = Path(__file__).parents[2]
QUICK = {
    "data": {"name": "files"},
    "teacher": {"hidden": 8, "max_epochs": 6, "candidates": 2},
    "contexts": {"rounds": 2},
    "student": {"hidden": 8, "max_epochs": 6, "methods": ["label", "logit", "representation", "llp"]},
    "latency": {"pairs": [1, 10], "seconds": 0.01},
}

EVERY_STAGE: tuple[tuple[str, Setting | None], ...] = tuple(
    (name, setting) for name, stage in STAGES.items() for setting in (SETTINGS if stage.per_setting else (None,))
)


def run_all() -> None:
    """Runs every stage in the current folder."""
    for name, setting in EVERY_STAGE:
        run_stage(name, setting)


def figures(root: Path) -> dict[str, bytes]:
    """What must be the same in every run: metrics, weights, scores, histories."""
    kinds = ("metrics.json", "history.json", "model.json", "*.safetensors", "findings.json", "index.html")
    folders = ("raw", "graph", "checks", *SETTINGS)
    files = [file for folder in folders for kind in kinds for file in (root / "data" / folder).rglob(kind)]
    return {str(file.relative_to(root)): file.read_bytes() for file in files}
