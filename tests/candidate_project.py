"""A small project whose pipeline has run once, for the tests of the registry and the gate."""

import json
import shutil
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from untuned_params import copy_untuned

from llp_core.names import SETTINGS
from llp_core.stages import STAGES, run_stage
from llp_core.store import read_tensors, sha256, write_tensors

ROOT = Path(__file__).parents[1]
SHORT = {
    "data": {"name": "files"},
    "teacher": {"hidden": 32, "max_epochs": 40, "candidates": 1},
    "contexts": {"rounds": 2},
    "student": {"hidden": 32, "max_epochs": 40, "methods": ["label", "llp"]},
    "latency": {"pairs": [10], "seconds": 0.01},
    "gate": {"request_pairs": 10, "max_p99_ms": 1000.0},
}


def change(root: Path, changes: dict[str, dict[str, Any]]) -> None:
    """Changes settings in a project's params.yaml."""
    params = yaml.safe_load((root / "params.yaml").read_text())
    for section, values in changes.items():
        params[section] |= values
    (root / "params.yaml").write_text(yaml.safe_dump(params))


def run_pipeline(root: Path) -> None:
    """Runs every stage but the report."""
    with chdir(root):
        for name, stage in STAGES.items():
            for setting in SETTINGS if stage.per_setting else (None,):
                if name != "report":
                    run_stage(name, setting)


def trained(factory: pytest.TempPathFactory) -> Path:
    """The project after its run, made once in a session. Not to be changed: tests work on copies."""
    root = factory.getbasetemp() / "trained"
    if not root.exists():
        shutil.copytree(ROOT / "data" / "embedded", root / "data" / "embedded")
        copy_untuned(root)
        change(root, SHORT)
        run_pipeline(root)
    return root


def copied(factory: pytest.TempPathFactory, target: Path) -> Path:
    """A copy of the project after its run."""
    shutil.copytree(trained(factory), target)
    return target


def weights(root: Path, method: str = "llp") -> Iterator[Path]:
    """Files of the candidate's weights, one for each setting."""
    for setting in SETTINGS:
        yield root / "data" / setting / "student" / method / "model.safetensors"


def sabotage(root: Path, seed: int = 0) -> None:
    """Shuffles the weights of the candidate's first layers: it scores, but knows nothing of the features."""
    rng = torch.Generator().manual_seed(seed)
    for path in weights(root):
        tensors = read_tensors(path)
        name = max(tensors, key=lambda each: tensors[each].numel())
        values = tensors[name]
        assert values is not None
        tensors[name] = values.flatten()[torch.randperm(values.numel(), generator=rng)].view(values.shape)
        write_tensors(path, dict(tensors))


def nudge(root: Path) -> None:
    """Makes another candidate that scores all but the same."""
    for path in weights(root):
        tensors = read_tensors(path)
        write_tensors(path, {name: values * 1.0001 for name, values in tensors.items()})


def edit_json(path: Path, **values: Any) -> None:
    """Changes some keys of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def break_smoke(root: Path, number: int) -> None:
    """Makes a version that is whole by its hashes, and does not score as recorded."""
    folder = root / f"models/v{number:04}"
    known = json.loads((folder / "smoke.json").read_text())
    known["settings"]["production"]["logits"]["llp"][0] += 1
    edit_json(folder / "smoke.json", **known)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["smoke.json"] = sha256(folder / "smoke.json")
    edit_json(folder / "manifest.json", **manifest)
