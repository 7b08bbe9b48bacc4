"""Raw files of published data sets: from a mirror on disk, or from where a library downloads them."""

import contextlib
import io
import shutil
from collections.abc import Iterator, Sequence
from http.client import HTTPException
from pathlib import Path

from llp_core.errors import InputError


def require_files(folder: Path, files: Sequence[str], advice: str) -> None:
    """Looks for files in a folder.

    Args:
        folder: where they belong.
        files: paths relative to it.
        advice: the last sentence of the error: what to do.

    Raises:
        InputError: names the first one that is not there, and how many are not.
    """
    missing = [file for file in files if not (folder / file).is_file()]
    if missing:
        raise InputError(f"{folder / missing[0]}: not found ({len(missing)} of {len(files)} files missing). {advice}")


def copy_files(source: Path, files: Sequence[str], folder: Path) -> None:
    """Copies files of a mirror, with their folders.

    Raises:
        InputError: the mirror has not got all of them.
    """
    advice = (
        "The mirror (data.mirror or LLP_DATA_MIRROR) must be laid out as docs/datasets.md says; unset it to download."
    )
    require_files(source, files, advice)
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / file, folder / file)


@contextlib.contextmanager
def downloading(name: str, layout: str) -> Iterator[None]:
    """Turns a failure of the network in the block into an InputError that offers a mirror.

    Args:
        name: of the data set.
        layout: where a mirror holds it.
    """
    from aiohttp import ClientError

    try:
        yield
    except (OSError, ClientError, HTTPException) as error:
        raise InputError(
            f"{name}: the download failed ({error}). Try again with a network, or copy its raw files from another "
            f"machine to MIRROR/{layout} and set data.mirror (or the variable LLP_DATA_MIRROR) to MIRROR."
        ) from None


@contextlib.contextmanager
def reading(name: str, folder: Path) -> Iterator[None]:
    """Turns whatever a library's reader raises in the block into an InputError, and keeps its chatter from stdout."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"{folder}: the raw files of {name} are not readable ({type(error).__name__}: {error}). "
            "Get them again: `dvc repro --force download`, from another mirror if they came from one."
        ) from None
