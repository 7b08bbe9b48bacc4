"""Settings found by hand or by a search: a YAML file for each data set, and default.yaml for those that have none.

`llp run-flow full --dataset NAME` takes them over into section `tuned` of params.yaml. Stages read only that.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError
from ruamel.yaml.error import YAMLError

from llp_core.config import Params, TunedSections, parse_params, read_yaml
from llp_core.datasets import get_dataset
from llp_core.errors import InputError
from llp_core.names import SETTINGS, Setting
from llp_core.section import problems
from llp_core.store import atomic_file

__all__ = ["for_dataset", "tuned_settings", "write_tuned"]

FOLDER = Path(__file__).parent
DEFAULT = "default"

_HEADER = """\
# Settings for data set {dataset} that take the place of those in params.yaml: `--dataset {dataset}` picks them up.
# Found by hand or by a search, as `found` tells; what is empty changes nothing. To search, one setting at a time:
#     llp run-flow tune --dataset {dataset} --setting transductive --trials 100
"""


class _Found(TunedSections):
    found: dict[str, Any]


_FILE = TypeAdapter(dict[Setting, _Found])


def tuned_settings(dataset: str) -> dict[str, Any]:
    """What was found for a data set, as section `tuned` of params.yaml holds it.

    Args:
        dataset: a name that `llp dataset list` shows. A setting of link prediction that its file lacks is taken
            from default.yaml, and so are all where there is no file.

    Returns:
        {setting: {section: {key: value}}} of all settings and of sections teacher, contexts and student.

    Raises:
        InputError: there is no such data set, or its file does not hold what it should.
    """
    found = _read(_path(DEFAULT)) | _read(_path(dataset))
    return {setting: found[setting].model_dump(exclude={"found"}) for setting in SETTINGS}


def for_dataset(params: Params, dataset: str) -> Params:
    """The settings as `--dataset` makes them: of this data set, with what was found for it.

    Raises:
        InputError: there is no such data set, or what was found contradicts the settings.
    """
    values = params.model_dump(mode="json", by_alias=True)
    values["data"]["name"] = dataset
    return parse_params(values | {"tuned": tuned_settings(dataset)}, f"with what was found for {dataset}")


def write_tuned(
    dataset: str, setting: Setting, values: Mapping[str, Mapping[str, Any]], found: Mapping[str, Any]
) -> None:
    """Puts what was found for one setting into the data set's file, and leaves the other settings there as they are.

    Args:
        dataset: a name that `llp dataset list` shows, or "default".
        setting: whose former values are replaced.
        values: section (teacher, contexts, student) -> key -> value; a section without values may be left out.
        found: facts about the search, as YAML holds them: trials, scores, seeds.

    Raises:
        InputError: there is no such data set, a value's name is no setting, or the file is not readable.
    """
    path = _path(dataset)
    try:
        new = _Found.model_validate(
            {name: {} for name in TunedSections.model_fields} | {**values, "found": dict(found)}
        )
    except ValidationError as error:
        raise InputError(f"{dataset}: {problems(error, setting)}") from None
    known = _read(path) | {setting: new}
    ordered = {name: known[name].model_dump(mode="json") for name in SETTINGS if name in known}
    text = yaml.safe_dump(ordered, sort_keys=False, allow_unicode=True, width=2**16)
    header = _comment(path) or _HEADER.format(dataset=dataset)
    with atomic_file(path) as temporary:
        temporary.write_text(header + text, encoding="utf-8")


def _path(dataset: str) -> Path:
    if dataset != DEFAULT:
        get_dataset(dataset)  # no such name is told; nor can one lead out of the folder
    return FOLDER / f"{dataset}.yaml"


def _read(path: Path) -> dict[Setting, _Found]:
    """What the file holds; nothing where there is none."""
    try:
        return _FILE.validate_python(read_yaml(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
    except (YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not readable as YAML: {error}") from None
    except ValidationError as error:
        raise InputError(f"{path}: {problems(error)}") from None


def _comment(path: Path) -> str:
    """The lines of comment that a file begins with."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    end = next((number for number, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return "".join(lines[:end])
