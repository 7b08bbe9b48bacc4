"""The body of every DVC stage: load, call, save. dvc.yaml says what each reads and writes.

A stage's function takes the params and, where the stage runs once per setting, the setting and the params as they
hold in it. It reads and writes the paths of `llp_core.paths`, relative to the current folder.
"""

import logging
import time
from collections.abc import Mapping
from importlib import import_module
from typing import NamedTuple

from llp_core import paths
from llp_core.config import load_params
from llp_core.errors import InputError, hint
from llp_core.names import SETTINGS, Setting

logger = logging.getLogger(__name__)


class StageFunction(NamedTuple):
    """Where a stage's function lies, so that naming a stage imports nothing heavy.

    Attributes:
        module: of this package.
        per_setting: whether it runs once for each setting.
    """

    module: str
    per_setting: bool


STAGES: Mapping[str, StageFunction] = {
    "download": StageFunction("data", per_setting=False),
    "prepare": StageFunction("data", per_setting=False),
    "validate": StageFunction("data", per_setting=False),
    "split": StageFunction("data", per_setting=True),
    "teacher": StageFunction("teaching", per_setting=True),
    "contexts": StageFunction("teaching", per_setting=True),
    "teacher_scores": StageFunction("teaching", per_setting=True),
    "student": StageFunction("teaching", per_setting=True),
    "evaluate": StageFunction("measuring", per_setting=True),
    "latency": StageFunction("measuring", per_setting=True),
    "report": StageFunction("reporting", per_setting=False),
}


def run_stage(name: str, setting: Setting | None = None) -> None:
    """Runs one stage in the current folder, and logs its seconds and the peak memory of this process.

    Args:
        name: of `STAGES`.
        setting: for a stage that runs once per setting.

    Raises:
        InputError: there is no such stage, or the setting is missing or not wanted.
        LLPError: what the stage raises.
    """
    if name not in STAGES:
        raise InputError(f"{name}: no such stage. {hint(name, STAGES)}")
    stage = STAGES[name]
    if stage.per_setting and setting is None:
        raise InputError(f"stage {name} runs once per setting: add --setting with one of {', '.join(SETTINGS)}.")
    if setting is not None and not stage.per_setting:
        raise InputError(f"stage {name} does not depend on the setting: leave out --setting {setting}.")
    started = time.perf_counter()
    import torch

    from llp_core.machine import peak_memory_mb

    function = getattr(import_module(f"llp_core.stages.{stage.module}"), name)
    params = load_params(paths.PARAMS)
    torch.set_num_threads(params.run.threads)
    if setting is None:
        function(params)
    else:
        function(params.of(setting), setting)
    seconds = time.perf_counter() - started
    address = name if setting is None else f"{name}@{setting}"
    logger.info("%s: %.1f s, peak memory of this process %.0f MB", address, seconds, peak_memory_mb())
