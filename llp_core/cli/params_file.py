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
from ruamel.yaml.representer import RoundTripRepresenter

from llp_core.config import Params, load_params, parse_params, read_yaml
from llp_core.datasets import get_dataset
from llp_core.errors import InputError
from llp_core.names import SETTINGS
from llp_core.store import atomic_file
from llp_core.tuned import tuned_settings

_TUNED = "tuned."


NOT_SET = "not set"


@dataclass(frozen=True)
class Change:
    """A setting before and after; `NOT_SET` where the file does not hold it."""

    key: str
    before: Any
    after: Any


def known_settings() -> dict[str, str]:
    """Every setting of params.yaml as `section.key`, with what it means (empty where its name says it)."""
    return dict(_settings(Params, ""))


def completed_settings() -> Iterator[str]:
    """What `--set` takes: every setting, and those of one setting of link prediction."""
    for key in known_settings():
        if key.startswith(_TUNED):
            section = Params.model_fields[key.rpartition(".")[2]].annotation
            names = getattr(section, "model_fields", {})
            yield from (f"{key}.{name}" for name in names if name != "methods")
        else:
            yield key


def described_settings(path: Path) -> Iterator[tuple[str, str, str]]:
    """Each setting of params.yaml, with its value as YAML and what it means.

    Where `tuned` takes a value's place, that follows: `0.1 (production: 0.05)`.

    Raises:
        InputError: the file does not hold what it must.
    """
    params = load_params(path)
    values = params.model_dump(mode="json", by_alias=True)
    of = {setting: params.of(setting).model_dump(mode="json", by_alias=True) for setting in SETTINGS}
    for key, meaning in known_settings().items():
        section, _, name = key.rpartition(".")
        tuned = [setting for setting in SETTINGS if name in values["tuned"][setting].get(section, {})]
        own = ", ".join(f"{setting}: {_as_yaml(_value(of[setting], key))}" for setting in tuned)
        yield key, _as_yaml(_value(values, key)) + (f" ({own})" if own else ""), meaning


def _value(values: Any, key: str) -> Any:
    return reduce(getitem, key.split("."), values)


def _as_yaml(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=2**16).removesuffix("\n...\n").strip()


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
            values[key.strip()] = read_yaml(text)
        except YAMLError as error:
            raise InputError(f"--set {assignment}: {text!r} is not readable as YAML: {error}") from None
    return values


def change_params(path: Path, values: Mapping[str, Any], dataset: str | None = None) -> list[Change]:
    """Writes values into params.yaml and keeps its comments. Nothing is written unless all of it holds.

    Args:
        path: of params.yaml.
        values: setting (`section.key`) -> value. It holds in every setting of link prediction: what `tuned` held in
            its place goes. With `tuned.production` and so on in front it holds in one, whatever the order.
        dataset: takes the place of the present one, and what was found for it that of `tuned`. It comes first.

    Returns:
        What changed, in the order of the file.

    Raises:
        InputError: a setting or the data set is not known, or a value is not one that it may have.
    """
    load_params(path)
    before = path.read_text(encoding="utf-8")
    round_trip = _round_trip()
    document = round_trip.load(before)
    for key, value in (_of_dataset(dataset) if dataset is not None else {}).items():
        _assign(document, key, value)
    for key, value in sorted(values.items(), key=lambda item: item[0].startswith(_TUNED)):
        _assign(document, key, value)
        _end_tuning(document, key)
    text = StringIO()
    round_trip.dump(document, text)
    given = [f"--dataset {dataset}"] * (dataset is not None) + [f"{key}={value}" for key, value in values.items()]
    after = read_yaml(text.getvalue())
    params = parse_params(after, f"with {', '.join(given)}, {path} would not hold what it must")
    get_dataset(params.data.name)
    changes = list(_changes(read_yaml(before), after))
    if changes:
        with atomic_file(path) as temporary:
            temporary.write_text(text.getvalue(), encoding="utf-8")
    return changes


def _of_dataset(name: str) -> dict[str, Any]:
    sections = tuned_settings(name).items()
    tuned = {f"{_TUNED}{setting}.{section}": own for setting, all_own in sections for section, own in all_own.items()}
    return {"data.name": name, **tuned}


def _end_tuning(document: Any, key: str) -> None:
    """Takes away what `tuned` holds in place of a setting."""
    section, _, name = key.rpartition(".")
    for setting in SETTINGS:
        own = document["tuned"][setting].get(section, {})
        if name in own:
            _fill(document["tuned"][setting], section, {other: own[other] for other in own if other != name})


def _fill(document: Any, name: str, values: dict[str, Any]) -> None:
    """Gives a mapping in the document other keys and values, a line each, and keeps the comment that follows it."""
    own = document[name]
    follows = own.ca.items.pop(next(reversed(own), None), None)  # ruamel.yaml hangs it on the last key
    for key in [key for key in own if key not in values]:
        del own[key]
    own.update(values)
    if own:
        own.fa.set_block_style()
        comments, last = own.ca.items, next(reversed(own))
    else:
        document[name] = _inline({})
        comments, last = document.ca.items, name
    if follows:
        comments.setdefault(last, follows)


def _changes(before: Any, after: Any, prefix: str = "") -> Iterator[Change]:
    for key in dict.fromkeys([*before, *after]):
        old, new = (values.get(key, NOT_SET) for values in (before, after))
        if isinstance(old, dict) or isinstance(new, dict):
            old, new = (value if isinstance(value, dict) else {} for value in (old, new))
            yield from _changes(old, new, f"{prefix}{key}.")
        elif old != new:
            yield Change(f"{prefix}{key}", old, new)


class _Representer(RoundTripRepresenter):
    """Writes null, not an empty place; and 1.0e-05, since readers of YAML 1.1 take 1e-05 for a text."""


_Representer.add_representer(
    type(None), lambda representer, _: representer.represent_scalar("tag:yaml.org,2002:null", "null")
)
_Representer.add_representer(
    float, lambda representer, value: representer.represent_scalar("tag:yaml.org,2002:float", _as_yaml(value))
)


def _round_trip() -> YAML:
    round_trip = YAML()
    round_trip.Representer = _Representer
    round_trip.preserve_quotes = True
    round_trip.width = 2**16  # long lines stay as they are
    return round_trip


def _assign(document: Any, key: str, value: Any) -> None:
    """Sets a value in the document."""
    known = known_settings()
    section, name = _place(key)
    if key not in known and not _takes_any_key(section):
        parts = [setting for setting in known if setting.startswith(f"{key}.")]
        near = parts or get_close_matches(key, known, n=3, cutoff=0.5)
        hint = f"Did you mean {' or '.join(near)}?" if near else "`llp params show` lists those that are."
        raise InputError(f"{key} is not a setting. {hint}")
    for part in section.split("."):
        document = document[part]
    if key.startswith(_TUNED) and isinstance(value, dict):
        _fill(document, name, value)
        return
    document[name] = _inline(value)
    if key.startswith(_TUNED):
        document.fa.set_block_style()


def _place(key: str) -> tuple[str, str]:
    """The mapping that a setting lies in, and its key there; where keys are the user's, they may hold dots."""
    parts = key.split(".")
    for depth in range(1, len(parts) - 1):
        if _takes_any_key(section := ".".join(parts[:depth])):
            return section, ".".join(parts[depth:])
    section, _, name = key.rpartition(".")
    return section, name


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
