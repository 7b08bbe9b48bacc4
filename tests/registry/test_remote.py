"""Versions go to DVC's remote and come from it, with git and without, and nobody's name is asked."""

import errno
import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from candidate_project import ROOT, break_smoke, copied, edit_json, nudge
from dvc_objects.fs import generic
from typer.testing import CliRunner

from llp_core.cli.app import app
from llp_core.dvc_repo import dvc_repo, track
from llp_core.errors import InputError, LLPError
from llp_core.registry import champion, numbers, open_version, promote, pull, push, register, rollback
from llp_core.registry.remote import Transfer
from llp_core.registry.versions import read_state


@pytest.fixture
def copy(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Path]:
    """Makes copies of a project, all with one remote, on a machine where git knows nobody."""
    (tmp_path / "home").mkdir()
    for name in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "EMAIL"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "remote").mkdir()

    def make(name: str, git: bool = False) -> Path:
        from dvc.repo import Repo

        root = copied(tmp_path_factory, tmp_path / name)
        if git:
            subprocess.run(["git", "init", "--quiet"], cwd=root, check=True)
            shutil.copy(ROOT / ".gitignore", root)
        Repo.init(str(root), no_scm=not git).close()
        core = ["[core]", "analytics = false", "remote = store"] + ["no_scm = true"] * (not git)
        remote = ["['remote \"store\"']", f"url = {tmp_path}/remote"]
        (root / ".dvc" / "config").write_text("\n".join([*core, *remote, ""]))
        return root

    return make


def files(root: Path, number: int) -> dict[str, bytes]:
    folder = root / f"models/v{number:04}"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("git", [False, True])
def test_versions_and_the_model_in_use_arrive(copy: Callable[..., Path], git: bool) -> None:
    here, there = copy("here", git=git), copy("there")
    promote(here, register(here), "first")
    sent = push(here)
    assert (sent.versions, sent.switched) == ([1], True)
    got = pull(there)
    assert (got.versions, got.switched) == ([1], True)
    assert files(there, 1) == files(here, 1)
    assert read_state(there) == read_state(here)
    assert open_version(there, 1).number == 1

    nudge(here)
    promote(here, register(here), "second")
    rollback(here, "by hand")
    assert push(here).versions == [2]
    assert (push(here).versions, push(here).switched) == ([], False)
    got = pull(there)
    assert (got.versions, got.switched) == ([2], True)
    assert champion(there) == 1
    assert read_state(there) == read_state(here)
    assert (pull(there).versions, pull(there).switched) == ([], False)


@pytest.mark.parametrize("tested", [True, False])
def test_a_remote_with_no_model_in_use(
    copy: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tested: bool
) -> None:
    here, there = copy("here"), copy("there")
    register(here)
    break_smoke(here, 1)
    with pytest.raises(LLPError, match="Version 1 failed its smoke test, and no model is in use"):
        promote(here, 1, "hope")
    push(here)
    monkeypatch.chdir(there)
    pulled = CliRunner().invoke(app, ["model", "pull"], catch_exceptions=False)
    assert pulled.output == "Fetched version 1. No model is in use.\n"
    assert champion(there) is None
    edit_json(there / "models/champion.json", tested=tested)  # False is what former versions of this program wrote
    nudge(there)
    promote(there, register(there), "the next one")
    assert champion(there) == 2


def test_a_version_goes_back_even_where_it_was_lost(copy: Callable[..., Path]) -> None:
    here = copy("here")
    promote(here, register(here), "first")
    push(here)
    before = files(here, 1)
    shutil.rmtree(here / "models")
    shutil.rmtree(here / ".dvc" / "cache")
    assert pull(here).versions == [1]
    assert files(here, 1) == before
    assert champion(here) == 1


def test_a_version_that_the_cache_has_lost_is_sent_all_the_same(copy: Callable[..., Path], tmp_path: Path) -> None:
    here, there = copy("here"), copy("there")
    promote(here, register(here), "first")
    push(here)
    shutil.rmtree(here / ".dvc" / "cache")
    shutil.rmtree(tmp_path / "remote" / "files")
    assert push(here).versions == [1]
    assert pull(there).versions == [1]
    assert files(there, 1) == files(here, 1)


def test_a_version_that_does_not_arrive_is_not_noted(
    copy: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    here = copy("here")
    promote(here, register(here), "first")
    track(here, Path("models/v0001"))
    with monkeypatch.context() as patch:
        patch.setattr(generic, "_try_links", full)  # DVC logs it, and goes on
        with pytest.raises(LLPError, match=r"^version 1 of the models: DVC's remote has not got all of it, even now"):
            push(here)
    assert not (tmp_path / "remote" / "models.json").exists()
    assert push(here).versions == [1]


def test_what_was_switched_here_is_not_overruled(copy: Callable[..., Path]) -> None:
    here, there = copy("here"), copy("there")
    for _ in range(2):
        promote(here, register(here), "at first")
        nudge(here)
    push(here)
    pull(there)
    rollback(here, "by one")
    push(here)
    rollback(there, "by another")
    promote(there, 2, "after all")
    with pytest.raises(InputError, match="knows of promotions or rollbacks that are not known here"):
        push(there)
    assert pull(there) == Transfer(versions=[], switched=False)
    assert champion(there) == 2
    assert push(there) == Transfer(versions=[], switched=True)
    assert pull(here) == Transfer(versions=[], switched=True)
    assert champion(here) == 2
    state = read_state(here)
    assert state is not None
    assert [event.why for event in state.history] == ["at first", "at first", "by one", "by another", "after all"]


def test_two_models_of_one_number_are_told_apart(copy: Callable[..., Path]) -> None:
    here, there = copy("here"), copy("there")
    register(here)
    push(here)
    nudge(there)
    register(there)
    for transfer in (push, pull):
        with pytest.raises(InputError, match="version 1 of the models: the remote has another model of this number"):
            transfer(there)
    assert files(there, 1) != files(here, 1)


def test_a_push_does_not_forget_what_the_remote_knows(copy: Callable[..., Path]) -> None:
    here, there = copy("here"), copy("there")
    promote(here, register(here), "first")
    push(here)
    with pytest.raises(InputError, match=r"not known here\. Run `llp model pull` first"):
        push(there)
    pull(there)
    assert push(there) == Transfer(versions=[], switched=False)


def test_a_changed_version_is_not_sent(copy: Callable[..., Path], tmp_path: Path) -> None:
    here = copy("here")
    register(here)
    (here / "models/v0001/CARD.md").write_text("better than it is")
    with pytest.raises(InputError, match=r"CARD\.md was changed"):
        push(here)
    assert not (tmp_path / "remote/models.json").exists()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"files": {"CARD.md": "0"}}, "version 1 of the models did not arrive as it was written: "),
        ({"colour": "red"}, "version 1 of the models: its manifest.json on the remote does not describe a version "),
    ],
)
def test_a_version_that_arrives_changed_is_not_taken(
    copy: Callable[..., Path], tmp_path: Path, changed: dict[str, object], message: str
) -> None:
    here, there = copy("here"), copy("there")
    register(here)
    edit_json(here / "models/v0001/manifest.json", **changed)
    dvc = track(here, Path("models/v0001"))
    with dvc_repo(here) as repo:
        repo.push(targets=[str(here / "models/v0001")])
    (tmp_path / "remote/models.json").write_text(f'{{"versions": {{"1": "{dvc}"}}, "champion": null}}')
    with pytest.raises(InputError, match=message):
        pull(there)
    assert numbers(there) == []


@pytest.mark.parametrize("name", ["../../outside.txt", "/outside.txt", "x/../../../outside.txt"])
def test_a_list_that_names_a_file_elsewhere_is_not_taken(copy: Callable[..., Path], tmp_path: Path, name: str) -> None:
    there = copy("there")

    def put(content: bytes, end: str = "") -> str:
        digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
        path = tmp_path / "remote/files/md5" / digest[:2] / f"{digest[2:]}{end}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return f"{digest}{end}"

    listed = put(json.dumps([{"md5": put(b"not theirs"), "relpath": name}]).encode(), ".dir")
    (tmp_path / "remote/models.json").write_text(json.dumps({"versions": {"1": listed}, "champion": None}))
    with pytest.raises(InputError, match=rf"{listed}: expected a list of files in a folder, found '{name}'"):
        pull(there)
    assert not list(tmp_path.rglob("outside.txt"))
    assert numbers(there) == []


@pytest.mark.parametrize(
    "content",
    [
        b'{"versions": {"1": ',
        b"[]",
        b"\xff\xff",
        b'{"versions": {"../x": "0"}, "champion": null}',
        b'{"versions": {"1": "../../x"}, "champion": null}',
        b'{"versions": {}, "champion": {"history": []}}',
    ],
)
def test_a_list_of_versions_that_is_none_tells_what_to_do(
    copy: Callable[..., Path], tmp_path: Path, content: bytes
) -> None:
    here = copy("here")
    register(here)
    path = tmp_path / "remote/models.json"
    path.write_bytes(content)
    for command in (pull, push):
        with pytest.raises(InputError, match=rf"{path}: it does not list the versions on the remote .* Remove it"):
            command(here)
    path.unlink()
    assert push(here).versions == [1]


def test_without_a_remote_dvc_says_what_to_do(copy: Callable[..., Path]) -> None:
    here = copy("here")
    (here / ".dvc/config").write_text("[core]\n    no_scm = true\n")
    register(here)
    with pytest.raises(LLPError, match="dvc remote add -d"):
        push(here)
