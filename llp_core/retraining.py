"""What a retraining decides beside the gate: whether there is anything to do, and what is kept of a decision."""

import dataclasses
import shutil
from pathlib import Path

from llp_core import paths
from llp_core.config import Params
from llp_core.drift import DriftReport, drift_between
from llp_core.errors import InputError
from llp_core.gate import Verdict
from llp_core.gate.rules import checks_green
from llp_core.live import current_version, extract
from llp_core.live.records import LIVE
from llp_core.names import SETTINGS
from llp_core.registry import candidate_hash, champion, find_version, read_version
from llp_core.registry.records import LATENCY
from llp_core.registry.registering import data_version_of
from llp_core.registry.versions import read_state
from llp_core.store import new_folder, read_json, sha256, write_json


def decided(root: Path, params: Params) -> str | None:
    """Why the models that the pipeline left need no judgement, in words; None where they do.

    They need none where they are in use, where they were and gave way, or where the gate refused them by today's
    rules, beside today's model in use, with the latency and the checks of today.

    Raises:
        InputError: the pipeline has not run in each setting, or the registry is not readable.
    """
    digest, state = candidate_hash(root), read_state(root)
    if (number := find_version(root, digest, params.gate.method)) is not None:
        if state is not None and state.version == number:
            return f"version {number} of the models is what they are, and in use"
        if state is not None and any(number in (event.version, event.before) for event in state.history):
            why = next((event.why for event in reversed(state.history) if event.before == number), state.why)
            return f"version {number} of the models is what they are; it was in use and gave way: {why}"
        return None  # it passed the gate, and the process was killed before it came into use
    path = decision_folder(digest) / "verdict.json"
    if not (root / path).is_file():
        return None
    kept = read_json(root / path)
    if kept["circumstances"] != _circumstances(root, params) or kept["verdict"]["promoted"]:
        return None
    return f"the gate refused them: {path.with_suffix('.md')}"


def keep_decision(root: Path, params: Params, verdict: Verdict, drift: DriftReport | None) -> Path:
    """Writes a verdict, and what had drifted, to a folder of its own.

    Returns:
        The verdict in Markdown, relative to `root`.
    """
    folder = decision_folder(verdict.candidate)
    with new_folder(root / folder, {"stage": "retrain"}) as new:
        kept = {"verdict": verdict.to_json(), "circumstances": _circumstances(root, params)}
        write_json(new / "verdict.json", kept)
        (new / "verdict.md").write_text(verdict.to_markdown(), encoding="utf-8")
        if drift is not None:
            write_json(new / "drift.json", drift.to_json())
            (new / "drift.md").write_text(drift.to_markdown(), encoding="utf-8")
    return folder / "verdict.md"


def drift_since_champion(root: Path, params: Params) -> DriftReport | None:
    """How the live data differs from that of the model in use.

    None where there is no live data or no model in use, the model was made of other data, or the two are the same.

    Raises:
        InputError: no version holds what the model was made of, or DVC has not got it.
    """
    number, now = champion(root), current_version(root)
    if number is None or now is None or params.data.name != "files":
        return None
    used = read_version(root, number).data
    if used.version is None:
        return None
    before = data_version_of(root, used.files)  # a number says nothing where live data was started anew
    if before is None:
        raise InputError(
            f"version {number} of the models was made of live data that no version here holds: it was started anew, or "
            "the model comes from another copy of the project."
        )
    if before == now:
        return None
    folder = root / paths.RETRAINING / ".before"
    shutil.rmtree(folder, ignore_errors=True)  # what a killed run left
    folder.mkdir(parents=True)
    try:
        extract(root, before, folder)
        return drift_between(folder, root / LIVE, params.data)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def decision_folder(candidate: str) -> Path:
    """Of the decision on a candidate, relative to the project's folder."""
    return paths.RETRAINING / candidate[:16]


def _circumstances(root: Path, params: Params) -> dict[str, object]:
    """What a verdict depends on beside the candidate, as JSON has it."""
    return {
        "gate": params.gate.model_dump(mode="json"),
        "champion": champion(root),
        "latency": {setting: sha256(root / paths.latency(setting) / LATENCY) for setting in SETTINGS},
        "checks": [dataclasses.asdict(rule) for rule in checks_green(root, SETTINGS)],
    }
