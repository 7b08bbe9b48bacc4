"""Artefact name to path, relative to the project's folder. dvc.yaml names the same paths."""

from pathlib import Path

from llp_core.errors import InputError
from llp_core.names import Method, Setting

PARAMS = Path("params.yaml")
EMBEDDED = Path("data/embedded")
RAW = Path("data/raw")
GRAPH = Path("data/graph")
ENCODER = GRAPH / "encoder.json"
"""How columns became features, where the data set is made of columns."""
CHECKS = Path("data/checks")
REPORT = Path("data/report")

BENCH = Path("data/bench/latency")
"""What `llp bench latency` found last."""

MODELS = Path("models")
"""The registry: a folder for each version of the models, and which one is in use."""

RETRAINING = Path("data/retraining")
"""What the gate decided, a folder for each candidate."""

CHECKPOINTS = Path("data/checkpoints")
"""Of trainings under way; outside every stage's outputs, since DVC empties those before a run."""
FAILED_CHECKS = Path("data/failed_checks")
"""Findings and Data Docs of a check that stopped its stage."""


def project_root() -> Path:
    """The current folder, which must be a project's.

    Raises:
        InputError: there is no params.yaml.
    """
    require_params(PARAMS)
    return Path.cwd()


def require_params(path: Path) -> None:
    """Refuses a path of params.yaml where there is none.

    Raises:
        InputError: says where to run llp.
    """
    if not path.is_file():
        raise InputError(
            f"{path}: not found. Run llp in the project's folder, the one that holds dvc.yaml and params.yaml."
        )


def setting_folder(setting: Setting) -> Path:
    """Everything that belongs to one setting."""
    return Path("data") / setting


def split(setting: Setting) -> Path:
    """The setting's LinkSplit."""
    return setting_folder(setting) / "split"


def teacher(setting: Setting) -> Path:
    """The best teacher, by validation."""
    return setting_folder(setting) / "teacher"


def contexts(setting: Setting) -> Path:
    """The setting's Contexts."""
    return setting_folder(setting) / "contexts"


def teacher_scores(setting: Setting) -> Path:
    """What the teacher exports for its students (TeacherScores)."""
    return setting_folder(setting) / "teacher_scores"


def students(setting: Setting) -> Path:
    """All students of a setting, a folder each."""
    return setting_folder(setting) / "student"


def student(setting: Setting, method: Method) -> Path:
    """One student."""
    return students(setting) / method


def evaluation(setting: Setting) -> Path:
    """Figures of every method on the test edges."""
    return setting_folder(setting) / "evaluation"


def latency(setting: Setting) -> Path:
    """Latency of the teacher and the students."""
    return setting_folder(setting) / "latency"
