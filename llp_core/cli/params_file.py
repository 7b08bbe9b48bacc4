"""Changes of params.yaml that keep its comments, and a list of the settings it may hold."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import reduce
from io import StringIO
from operator import getitem
from pathlib import Path
from typing import Any, get_origin

import yaml
from pydantic import BaseModel
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError

from llp_core.config import Params, load_params, parse_params
from llp_core.datasets import get_dataset
from llp_core.errors import InputError
from llp_core.store import atomic_file


@dataclass(frozen=True)
class Change:
    """A setting before and after."""

    key: str
    before: Any
    after: Any


def known_settings() -> dict[str, str]:
    """Every setting of params.yaml as `section.key`, with what it means (empty where its name says it)."""
    return dict(_settings(Params, ""))


def described_settings(path: Path) -> Iterator[tuple[str, str, str]]:
    """Each setting of params.yaml, with its value as YAML and what it means.

    Raises:
        InputError: the file does not hold what it must.
    """
    values = load_params(path).model_dump(mode="json", by_alias=True)
    for key, meaning in known_settings().items():
        value = reduce(getitem, key.split("."), values)
        text = yaml.safe_dump(value, default_flow_style=True, width=2**16).removesuffix("\n...\n").strip()
        yield key, text, meaning


def _settings(section: type[BaseModel], prefix: str) -> Iterator[tuple[str, str]]:
    for name, field in section.model_fields.items():
        key = prefix + (field.alias or name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _settings(field.annotation, f"{key}.")
        else:
            yield key, " ".join((field.description or "").split())


def parse_assignments(assignments: Sequence[str]) -> dict[str, Any]:
    """Setting -> value, of texts like `student.margin=0.2`; the value is read as YAML.

    Raises:
        InputError: a text is no assignment, or its value is not YAML.
    """
    values = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise InputError(f"--set {assignment}: expected section.key=value, such as --set student.margin=0.2.")
        try:
            values[key.strip()] = YAML(typ="safe").load(text)
        except YAMLError as error:
            raise InputError(f"--set {assignment}: {text!r} is not readable as YAML: {error}") from None
    return values


def change_params(path: Path, values: Mapping[str, Any]) -> list[Change]:
    """Writes values into params.yaml and keeps its comments. Nothing is written unless all of it holds.

    Args:
        path: of params.yaml.
        values: setting (`section.key`) -> value.

    Returns:
        What changed; a setting that had the value already did not.

    Raises:
        InputError: a setting is not known, or a value is not one that it may have.
    """
    load_params(path)
    round_trip = _round_trip()
    document = round_trip.load(path.read_text(encoding="utf-8"))
    changes = [Change(key, _assign(document, key, value), value) for key, value in values.items()]
    text = StringIO()
    round_trip.dump(document, text)
    origin = ", ".join(f"{key}={value}" for key, value in values.items())
    params = parse_params(yaml.safe_load(text.getvalue()), f"with {origin}, {path} would not hold what it must")
    get_dataset(params.data.name)
    changes = [change for change in changes if change.before != change.after]
    if changes:
        with atomic_file(path) as temporary:
            temporary.write_text(text.getvalue(), encoding="utf-8")
    return changes


def _round_trip() -> YAML:
    round_trip = YAML()
    round_trip.preserve_quotes = True
    round_trip.width = 2**16  # long lines stay as they are
    # As params.yaml writes it: null, not an empty place.
    round_trip.representer.add_representer(
        type(None), lambda representer, _: representer.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    return round_trip


def _assign(document: Any, key: str, value: Any) -> Any:
    """Sets a value in the document; returns the one before."""
    known = known_settings()
    section, _, name = key.rpartition(".")
    if key not in known and not _takes_any_key(section):
        parts = [setting for setting in known if setting.startswith(f"{key}.")]
        near = parts or get_close_matches(key, known, n=3, cutoff=0.5)
        hint = f"Did you mean {' or '.join(near)}?" if near else "`llp params show` lists those that are."
        raise InputError(f"{key} is not a setting. {hint}")
    for part in section.split("."):
        document = document[part]
    before = document.get(name)
    document[name] = _inline(value)
    return before


def _inline(value: Any) -> Any:
    """Lists and mappings as params.yaml writes them: in brackets, on the setting's own line."""
    if not isinstance(value, (dict, list)):
        return value
    inline = CommentedMap(value) if isinstance(value, dict) else CommentedSeq(value)
    inline.fa.set_flow_style()
    return inline


def _takes_any_key(setting: str) -> bool:
    """Whether a setting is a mapping whose keys are the user's, as names of columns are."""
    section: Any = Params
    for part in setting.split("."):
        fields = {field.alias or name: field for name, field in getattr(section, "model_fields", {}).items()}
        section = fields[part].annotation if part in fields else None
    return get_origin(section) is dict
