"""The candidate: what the pipeline's last run left, as files of a version to be."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from llp_core import paths
from llp_core.config import Params, load_params
from llp_core.datasets.files import FILES
from llp_core.errors import InputError
from llp_core.names import SETTINGS, Method
from llp_core.registry.records import ENCODER, LATENCY, METRICS, PARAMS
from llp_core.store import sha256

_WEIGHTS, _SIZES = "model.safetensors", "model.json"


def candidate_files(root: Path) -> dict[str, Path]:
    """Name within a version -> the file that the pipeline made.

    Raises:
        InputError: the pipeline has not run in each setting.
    """
    files = {PARAMS: root / paths.PARAMS}
    if load_params(root / paths.PARAMS).data.name == FILES.name:
        files[ENCODER] = root / paths.ENCODER
    for setting in SETTINGS:
        files[f"{setting}/{METRICS}"] = root / paths.evaluation(setting) / "metrics.json"
        files[f"{setting}/{LATENCY}"] = root / paths.latency(setting) / "latency.json"
        for method in student_methods(root / paths.students(setting)):
            model = root / paths.students(setting) / method
            files |= {f"{setting}/{method}/{name}": model / name for name in (_WEIGHTS, _SIZES)}
    missing = [file for file in files.values() if not file.is_file()]
    if missing:
        raise InputError(
            f"{missing[0].relative_to(root)}: not found. A candidate has models, figures and latency of every setting: "
            "`llp run-flow full` makes them."
        )
    return files


def student_methods(folder: Path) -> list[Method]:
    """The methods whose students lie in a folder.

    Raises:
        InputError: there is none.
    """
    found: list[Method] = sorted(path.name for path in folder.glob("*") if path.is_dir())  # type: ignore[misc]
    if not found:
        raise InputError(f"{folder}: no student is there. `llp run-flow full` trains them.")
    return found


def candidate_hash(root: Path) -> str:
    """A hash of the candidate's weights and encoder, hexadecimal. What would score the same has the same.

    Raises:
        InputError: the pipeline has not run in each setting.
    """
    return hash_of({name: sha256(file) for name, file in candidate_files(root).items()})


def hash_of(files: Mapping[str, str]) -> str:
    """The candidate's hash from the sha256 of its files."""
    scoring = [(name, digest) for name, digest in files.items() if name == ENCODER or name.endswith(_WEIGHTS)]
    return hashlib.sha256(repr(sorted(scoring)).encode()).hexdigest()


def settings_hash(params: Params) -> str:
    """A hash of all settings, hexadecimal."""
    return hashlib.sha256(json.dumps(params.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()


def copy_candidate(root: Path, folder: Path) -> None:
    """Copies the candidate's files into a version's new folder."""
    for name, file in candidate_files(root).items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
