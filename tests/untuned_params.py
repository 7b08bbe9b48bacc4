"""The committed params.yaml as the tests change it, whatever a search has found meanwhile."""

import shutil
from pathlib import Path

from llp_core.cli.params_file import change_params
from llp_core.names import SETTINGS

ROOT = Path(__file__).parents[1]
NOTHING_TUNED = {f"tuned.{name}.{section}": {} for name in SETTINGS for section in ("teacher", "contexts", "student")}


def copy_untuned(folder: Path) -> Path:
    """Copies the committed params.yaml, with nothing tuned; returns the copy's path."""
    path = folder / "params.yaml"
    shutil.copy(ROOT / "params.yaml", path)
    change_params(path, NOTHING_TUNED)
    return path
