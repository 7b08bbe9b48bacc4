"""Artefacts on disk: a folder each, of safetensors, Parquet and JSON, written whole or not at all.

`made.json` in each folder says how the artefact was made. Nothing here is pickle, so each file can be
opened without this code.
"""

import dataclasses
import hashlib
import json
import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

import torch
from torch import Tensor

from llp_core.errors import InputError, is_of_the_machine
from llp_core.machine import code_versions

T = TypeVar("T")

_SPARSE_PARTS = ("crow_indices", "col_indices", "values", "shape")


@contextmanager
def new_folder(target: Path, made: Mapping[str, Any]) -> Iterator[Path]:
    """A new folder to fill, that takes `target`'s place when the block ends without an error.

    Args:
        target: where the artefact belongs; what lies there stays until the new one is complete.
        made: how the artefact is made (stage, settings); the versions are added.
    """
    with swapped_folder(target) as temporary:
        yield temporary
        write_json(temporary / "made.json", {**made, "versions": code_versions()})


@contextmanager
def swapped_folder(target: Path) -> Iterator[Path]:
    """A new folder as `new_folder` gives it, that holds nothing but what is put there.

    Between two renames `target` is nowhere: a process killed just then leaves `.NAME.former`, which the next call, or
    `mend_swap`, puts back, and `.NAME.new`. Where `target` is a link, what that leads to is replaced.
    """
    mend_swap(target)
    target = target.resolve()
    temporary, former = _beside(target)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        if target.exists():
            target.rename(former)
        temporary.rename(target)
    finally:
        mend_swap(target)


def mend_swap(target: Path) -> None:
    """Undoes a swap that ended between its two renames, and clears away what one left beside `target`."""
    target = target.resolve()
    temporary, former = _beside(target)
    if former.exists() and not target.exists():
        former.rename(target)
    for leftover in (temporary, former):
        shutil.rmtree(leftover, ignore_errors=True)


def _beside(target: Path) -> tuple[Path, Path]:
    """What a swap puts beside its target: the new folder, and the former one."""
    return target.with_name(f".{target.name}.new"), target.with_name(f".{target.name}.former")


def require_replaceable(path: Path, command: str) -> None:
    """Refuses, before any work, a folder that `new_folder` could not write or where something would be lost.

    Args:
        path: of the folder that is to be written: nothing is there, or an empty folder, or an earlier output.
        command: of llp, the stage in its made.json.

    Raises:
        InputError: something else is there, or it cannot be written there.
    """
    require_writable(path)
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    try:
        made = read_json(path / "made.json") if path.is_dir() else None
    except InputError:
        made = None
    if not (isinstance(made, dict) and made.get("stage") == command):
        raise InputError(f"{path}: it exists and is no earlier output of `llp {command}`. Name a new folder.")


def require_writable(path: Path) -> None:
    """Refuses a path, of a file or a folder, that lies in no folder that can be written to.

    Raises:
        InputError: so it is.
    """
    there = next(folder for folder in path.absolute().parents if folder.exists())
    if not (there.is_dir() and os.access(there, os.W_OK)):
        raise InputError(f"{path}: {there} is no folder that can be written to. Name another.")


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A temporary path to write to, that takes `path`'s place, and its mode, when the block ends without an error.

    Where `path` is a link, the file that it names is replaced.
    """
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    temporary.touch(exist_ok=False)  # as any new file: whom it is open to is up to the user's umask
    mode = stat.S_IMODE((path if path.exists() else temporary).stat().st_mode)
    try:
        yield temporary
        temporary.chmod(mode)  # safetensors puts a file of its own there, open to no one else
        temporary.replace(path)
    except OSError as error:
        if error.errno is not None and error.filename is None:  # a full disk's, that does not say where
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Writes JSON for people to read: indented, keys in the order given."""
    with atomic_file(path) as temporary:
        text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Reads a JSON file.

    Raises:
        InputError: it is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise _missing(path) from None
    except ValueError as error:
        raise _unreadable(path, error) from None


def write_tensors(path: Path, tensors: Mapping[str, Tensor | None]) -> None:
    """Writes named tensors as safetensors. A `sparse_csr` one takes four entries, None takes none."""
    from safetensors.torch import save_file

    parts: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if tensor is None:
            continue
        if tensor.layout == torch.sparse_csr:
            shape = torch.tensor(tensor.shape)
            values = (tensor.crow_indices(), tensor.col_indices(), tensor.values(), shape)
            parts |= {f"{name}.{part}": value for part, value in zip(_SPARSE_PARTS, values, strict=True)}
        else:
            parts[name] = tensor
    with atomic_file(path) as temporary:
        save_file({name: part.detach().cpu().contiguous() for name, part in parts.items()}, temporary)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Reads what `write_tensors` wrote.

    Raises:
        InputError: the file is missing or is not safetensors.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return _join_sparse(load_file(path))
    except FileNotFoundError:  # safetensors says so of one that it may not read, too
        if path.is_file():
            raise InputError(f"{path}: this user may not read it.") from None
        raise _missing(path) from None
    except (SafetensorError, KeyError, RuntimeError) as error:
        raise _unreadable(path, error) from None


def _join_sparse(parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
    sparse = {name.removesuffix(".crow_indices") for name in parts if name.endswith(".crow_indices")}
    tensors = {name: part for name, part in parts.items() if name.rpartition(".")[0] not in sparse}
    for name in sparse:
        crow, col, values, shape = (parts[f"{name}.{part}"] for part in _SPARSE_PARTS)
        tensors[name] = torch.sparse_csr_tensor(crow, col, values, size=shape.tolist(), check_invariants=True)
    return tensors


def save(artifact: Any, folder: Path) -> None:
    """Writes a dataclass of `llp_core.types` into a folder that exists.

    Tensors go to tensors.safetensors, tuples of strings to a Parquet file each, the rest to fields.json.
    """
    import pandas as pd

    tensors: dict[str, Tensor] = {}
    rest: dict[str, Any] = {}
    for field in dataclasses.fields(artifact):
        value = getattr(artifact, field.name)
        if isinstance(value, Tensor):
            tensors[field.name] = value
        elif isinstance(value, tuple) and value and isinstance(value[0], str):
            table = pd.DataFrame({field.name: pd.Series(value, dtype="str")})
            table.to_parquet(folder / f"{field.name}.parquet", index=False)
        elif isinstance(value, tuple):
            rest[field.name] = [dataclasses.asdict(item) for item in value]
        elif value is not None:
            rest[field.name] = value
    if tensors:
        write_tensors(folder / "tensors.safetensors", tensors)
    if rest:
        write_json(folder / "fields.json", rest)


def load(kind: type[T], folder: Path) -> T:
    """Reads what `save` wrote as an object of class `kind`, which checks it.

    Raises:
        InputError: a file is missing, unreadable, or breaks a rule of the class.
    """
    import pandas as pd

    if not folder.is_dir():
        raise _missing(folder)
    values: dict[str, Any] = {}
    try:
        if (folder / "tensors.safetensors").exists():
            values |= read_tensors(folder / "tensors.safetensors")
        if (folder / "fields.json").exists():
            values |= _rows_as_objects(kind, read_json(folder / "fields.json"))
        for file in folder.glob("*.parquet"):
            values[file.stem] = tuple(pd.read_parquet(file)[file.stem].tolist())
        return kind(**values)
    except (LookupError, OSError, TypeError, ValueError) as error:  # pyarrow's of a damaged file is an OSError
        if is_of_the_machine(error):
            raise
        raise _unreadable(folder, error) from None


def _rows_as_objects(kind: type, fields: dict[str, Any]) -> dict[str, Any]:
    """Turns the lists that came from tuples of dataclasses into such tuples again."""
    hints = get_type_hints(kind)
    rows = {name: get_args(hints.get(name))[0] for name, value in dict(fields).items() if isinstance(value, list)}
    return fields | {name: tuple(row(**record) for record in fields[name]) for name, row in rows.items()}


def _missing(path: Path) -> InputError:
    return InputError(f"{path}: not found. An earlier stage makes it: run `dvc repro` or `llp run-flow full`.")


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(f"{path}: not readable ({error}). Remove it and run the stage that makes it again.")


def sha256(path: Path) -> str:
    """Of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
