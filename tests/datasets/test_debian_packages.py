import gzip
import hashlib
import lzma
import re

import pytest

from llp_core.datasets.debian_packages import open_index, read_packages
from llp_core.errors import InputError

INDEX = """\
Package: python3-foo-bar
Source: foo (1.0-1)
Architecture: all
Installed-Size: 42
Maintainer: Jane Doe <Jane@example.org>
Section: python
Pre-Depends: python3-pre
Depends: python3-a (>= 1.0~rc1), python3-b:any | python3-c [amd64] <!nocheck>,
 python3-folded
Recommends: python3-d(<<2)
Suggests: python3-virtual
Description: Fast FFT of x, 2-D arrays_too
 A long text that is no feature.
 .
Tag: implemented-in::python, role::shared-lib,
 use::numbers

Package: contrib-one
Architecture: amd64
Section: contrib/python
Description-en: Other


Package: a-game
Section: games
"""


def packages(section, text=INDEX):
    return read_packages(text.splitlines(keepends=True), section, "index")


def test_a_stanza_becomes_a_package():
    package = packages("python")["python3-foo-bar"]
    assert package.architecture == "all"
    assert package.installed_kib == 42
    expected = {"pre", "a", "b", "c", "folded", "d", "virtual"}
    assert package.relations == {f"python3-{name}" for name in expected}
    maintainer = hashlib.sha256(b"jane@example.org").hexdigest()[:8]
    assert package.tokens == (
        "word:fast",
        "word:fft",
        "word:of",
        "word:arrays",
        "word:too",
        "name:python3",
        "name:foo",
        "name:bar",
        "tag:implemented-in::python",
        "tag:role::shared-lib",
        "tag:use::numbers",
        f"maintainer:{maintainer}",
        "source:foo",
    )


def test_no_name_or_address_of_a_person_is_a_feature():
    assert not re.search("jane|doe|example", " ".join(packages("python")["python3-foo-bar"].tokens), re.IGNORECASE)


@pytest.mark.parametrize(
    ("section", "names"),
    [
        ("python", ["python3-foo-bar", "contrib-one"]),
        ("contrib/python", ["contrib-one"]),
        ("games", ["a-game"]),
        ("*", ["python3-foo-bar", "contrib-one", "a-game"]),
    ],
)
def test_a_section_takes_its_packages_of_every_component(section, names):
    assert list(packages(section)) == names


def test_missing_fields_are_fine_and_a_source_is_by_default_of_the_same_name():
    package = packages("contrib/python")["contrib-one"]
    assert package.installed_kib == 0
    assert package.relations == frozenset()
    assert package.tokens == ("word:other", "name:contrib", "name:one", "source:contrib-one")


def test_the_first_package_of_a_name_stays():
    text = "Package: a\nSection: x\nInstalled-Size: 1\n\nPackage: a\nSection: x\nInstalled-Size: 2\n"
    assert packages("x", text)["a"].installed_kib == 1


@pytest.mark.parametrize(
    ("text", "section", "message"),
    [
        (INDEX, "perl", "index: no package of section 'perl'; it holds contrib/python, games, python."),
        ("", "python", "index: no package of section 'python'; it holds no package at all. Run `apt-get update`"),
        ("Package: a\nnonsense\n", "*", "index, line 2: expected `Field: value`, got 'nonsense"),
        ("Section: x\n\nPackage: a\n", "*", "index: the stanza that ends at line 2 has no field `Package`."),
        ("Package: a\n\nSection: x\n", "*", "index: the stanza that ends at line 3 has no field `Package`."),
        ("Package: a\nInstalled-Size: 2147483648\n", "*", "index: package a has an Installed-Size of 2147483648 KiB"),
        (f"Package: a\nInstalled-Size: {'9' * 5000}\n", "*", "package a has an Installed-Size of 99999999999999999999"),
    ],
)
def test_what_is_no_index_is_refused_with_the_line(text, section, message):
    with pytest.raises(InputError, match=re.escape(message)):
        packages(section, text)


@pytest.mark.parametrize(("suffix", "pack"), [("", bytes), (".gz", gzip.compress), (".xz", lzma.compress)])
def test_an_index_may_be_packed(tmp_path, suffix, pack):
    path = tmp_path / f"Packages{suffix}"
    path.write_bytes(pack(INDEX.encode()))
    with open_index(path) as (lines, origin):
        assert "".join(lines) == INDEX
    assert origin == str(path)


@pytest.mark.parametrize("name", ["Packages", "Packages.gz", "Packages.xz"])
def test_an_index_that_is_missing_or_not_readable_is_an_error(tmp_path, name):
    path = tmp_path / name
    message = f"^{re.escape(str(path))}: expected a Packages file of Debian"
    with pytest.raises(InputError, match=message), open_index(path) as (lines, _):
        list(lines)
    path.write_bytes(b"\xff\xfe no text")
    with pytest.raises(InputError, match=message), open_index(path) as (lines, _):
        list(lines)


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".xz", lzma.compress)])
def test_a_packed_index_that_is_damaged_is_an_error(tmp_path, suffix, pack):
    path = tmp_path / f"Packages{suffix}"
    packed = pack(INDEX.encode())
    middle = len(packed) // 2
    path.write_bytes(packed[:middle] + bytes(byte ^ 0xFF for byte in packed[middle:]))
    message = f"^{re.escape(str(path))}: expected a Packages file of Debian"
    with pytest.raises(InputError, match=message), open_index(path) as (lines, _):
        list(lines)


def program(folder, monkeypatch, script):
    path = folder / "apt-cache"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/bin:/usr/bin")


def test_without_a_file_apt_cache_is_asked(tmp_path, monkeypatch):
    program(tmp_path, monkeypatch, "echo Package: $1")
    with open_index(None) as (lines, origin):
        assert list(lines) == ["Package: dumpavail\n"]
    assert origin == "apt-cache dumpavail"


def test_a_failing_apt_cache_is_an_error(tmp_path, monkeypatch):
    program(tmp_path, monkeypatch, "exit 100")
    with pytest.raises(InputError, match="apt-cache dumpavail` ended with status 100"), open_index(None) as (lines, _):
        list(lines)


def test_an_apt_cache_that_prints_no_text_is_an_error(tmp_path, monkeypatch):
    program(tmp_path, monkeypatch, r"printf '\377\n'")
    with pytest.raises(InputError, match="apt-cache dumpavail`: expected UTF-8, got: "), open_index(None) as (lines, _):
        list(lines)


def test_a_missing_apt_cache_is_an_error_that_offers_a_file(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"apt-cache: not found.* --packages FILE"), open_index(None):
        pass
