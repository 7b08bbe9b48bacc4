"""Debian's package index: stanzas of `Field: value` lines, read as a stream."""

import gzip
import hashlib
import lzma
import re
import shutil
import subprocess
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from llp_core.errors import InputError

RELATIONS = ("Depends", "Pre-Depends", "Recommends", "Suggests")
MAX_KIB = 2**31 - 1
"""Of a package when installed: two TiB, the most that an int32 holds."""
_FIELDS = frozenset(
    ("Package", "Section", "Source", "Architecture", "Installed-Size", "Maintainer", "Description", "Tag", *RELATIONS)
)
_WORD = re.compile(r"[^\W_]{2,}")
_OPENERS: dict[str, Callable[..., IO[str]]] = {".gz": gzip.open, ".xz": lzma.open}


@dataclass(frozen=True)
class Package:
    """What the graph needs of one binary package.

    Attributes:
        name: of the package.
        architecture: `all`, or the one it is built for.
        installed_kib: KiB it takes when installed.
        relations: names of the packages that it depends on, recommends or suggests, alternatives included.
        tokens: its features, each `kind:value`; kinds are word, name, tag, maintainer and source.
    """

    name: str
    architecture: str
    installed_kib: int
    relations: frozenset[str]
    tokens: tuple[str, ...]


@contextmanager
def open_index(packages: Iterable[str] | Path | None) -> Iterator[tuple[Iterable[str], str]]:
    """The lines of a package index and what to call it: lines, a file (also .gz or .xz), or `apt-cache dumpavail`.

    Raises:
        InputError: the file is missing or not readable, or apt-cache is missing, fails, or prints what is not UTF-8.
    """
    if packages is None:
        with _apt_cache() as lines:
            yield lines, "apt-cache dumpavail"
    elif isinstance(packages, Path):
        try:
            with _OPENERS.get(packages.suffix, open)(packages, "rt", encoding="utf-8") as lines:
                yield lines, str(packages)
        except (OSError, EOFError, zlib.error, lzma.LZMAError, UnicodeDecodeError) as error:
            raise InputError(
                f"{packages}: expected a Packages file of Debian (plain, .gz or .xz), got: {error}"
            ) from None
    else:
        yield packages, "the package index"


@contextmanager
def _apt_cache() -> Iterator[Iterable[str]]:
    program = shutil.which("apt-cache")
    if program is None:
        raise InputError(
            "apt-cache: not found, so this is no Debian machine. Give a package index with --packages FILE: "
            "a mirror of Debian has one at dists/stable/main/binary-amd64/Packages.xz."
        )
    command = [program, "dumpavail"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:  # noqa: S603 (nothing in it is a user's)
        assert process.stdout is not None  # noqa: S101 (PIPE was asked for; this tells mypy)
        try:
            yield process.stdout
        except UnicodeDecodeError as error:
            raise InputError(f"`{' '.join(command)}`: expected UTF-8, got: {error}") from None
    if process.returncode != 0:
        raise InputError(f"`{' '.join(command)}` ended with status {process.returncode}; see its message above.")


def read_packages(lines: Iterable[str], section: str, origin: str) -> dict[str, Package]:
    """The packages of a section by name; the first of a name stays where an index lists several.

    Args:
        lines: of a package index.
        origin: what an error calls the index.
        section: as in the index; one without a component takes all (`python` takes `contrib/python`), `*` any.

    Raises:
        InputError: a line is no field, a stanza has no package name or a size past `MAX_KIB`, or no package is of that
            section.
    """
    found: dict[str, Package] = {}
    sections: set[str] = set()
    for stanza in _stanzas(lines, origin):
        given = stanza.get("Section", "")
        sections.add(given)
        if section in ("*", given, given.rpartition("/")[2]):
            found.setdefault(stanza["Package"], _package(stanza, origin))
    if not found:
        raise InputError(
            f"{origin}: no package of section {section!r}; it holds "
            + (f"{', '.join(sorted(sections))}." if sections else "no package at all. Run `apt-get update` first.")
        )
    return found


def _stanzas(lines: Iterable[str], origin: str) -> Iterator[dict[str, str]]:
    """One stanza after the other, with the fields in use only."""
    stanza: dict[str, str] = {}
    field, number = "", 0
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            if stanza:
                yield _named(stanza, origin, number)
            stanza, field = {}, ""
        elif line[0] in " \t":
            # What follows the first line of a description is the long one.
            if field in stanza and field != "Description":
                stanza[field] += " " + line.strip()
        else:
            field, colon, value = line.partition(":")
            if not colon:
                raise InputError(f"{origin}, line {number}: expected `Field: value`, got {line[:80]!r}.")
            # A mirror may name the language of the description.
            field = "Description" if field == "Description-en" else field
            if field in _FIELDS:
                stanza[field] = value.strip()
    if stanza:
        yield _named(stanza, origin, number)


def _named(stanza: dict[str, str], origin: str, line: int) -> dict[str, str]:
    if not stanza.get("Package"):
        raise InputError(f"{origin}: the stanza that ends at line {line} has no field `Package`.")
    return stanza


def _package(stanza: dict[str, str], origin: str) -> Package:
    size = stanza.get("Installed-Size", "")
    kib = int(size[:20]) if size.isdecimal() else 0
    if kib > MAX_KIB:
        raise InputError(
            f"{origin}: package {stanza['Package']} has an Installed-Size of {size[:20]} KiB; at most {MAX_KIB:,} are "
            "read. Correct it, or leave out the package."
        )
    return Package(
        name=stanza["Package"],
        architecture=stanza.get("Architecture", ""),
        installed_kib=kib,
        relations=frozenset().union(*(_related(stanza.get(field, "")) for field in RELATIONS)),
        tokens=tuple(_tokens(stanza)),
    )


def _related(relation: str) -> frozenset[str]:
    """Names in `a (>= 1) [amd64] <!nocheck>, b:any | c`."""
    names = (re.split(r"[\s:(\[<]", entry.strip(), maxsplit=1)[0] for entry in re.split(r"[,|]", relation))
    return frozenset(name for name in names if name)


def _tokens(stanza: dict[str, str]) -> Iterator[str]:
    name = stanza["Package"]
    yield from (f"word:{word}" for word in _WORD.findall(stanza.get("Description", "").lower()))
    yield from (f"name:{part}" for part in _WORD.findall(name.lower()))
    yield from (f"tag:{tag.strip()}" for tag in stanza.get("Tag", "").split(",") if tag.strip())
    if maintainer := stanza.get("Maintainer", ""):
        # A person's name or address has no place in a data set: packages of one maintainer share a figure.
        address = maintainer.rpartition("<")[2].rstrip(">").lower()
        yield f"maintainer:{hashlib.sha256(address.encode()).hexdigest()[:8]}"
    yield f"source:{stanza.get('Source', name).partition(' ')[0]}"
