"""The database of the server: what LLP_DATABASE_URL may hold, and a real PostgreSQL."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from served_project import PATIENCE, free_port, served

from flows.daemons import wait_until
from flows.database import describe_database
from llp_core.errors import InputError

PASSWORD = "s3cret-w0rd"  # noqa: S105
PROGRAMS = [*map(Path, filter(None, [shutil.which("initdb")])), *Path("/usr/lib/postgresql").glob("*/bin/initdb")]


def test_sqlite_lies_in_prefects_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("LLP_DATABASE_URL", raising=False)
    assert describe_database(tmp_path) == f"SQLite, {tmp_path / 'prefect.db'}"


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        (f"someone:{PASSWORD}@host", "not an address of a database"),
        (f"postgresql+asyncpg://someone:{PASSWORD}@host:port/runs", "not an address of a database"),
        (f"postgresql://someone:{PASSWORD}@host/runs", "begins with postgresql://"),
        (f"mysql://someone:{PASSWORD}@host/runs", "begins with mysql://"),
        (f"postgresql+asyncpg://someone:{PASSWORD}@host", "expected postgresql"),
        (
            f"postgresql+asyncpg://someone:{PASSWORD}@127.0.0.1:1/runs",
            "PostgreSQL, 127.0.0.1:1/runs does not let us in: .*Connect call failed",
        ),
    ],
)
def test_addresses_that_do_not_hold(tmp_path, monkeypatch, address, reason):
    monkeypatch.setenv("LLP_DATABASE_URL", address)
    with pytest.raises(InputError, match=reason) as error:
        describe_database(tmp_path)
    assert PASSWORD not in str(error.value)


@pytest.fixture
def postgres() -> Iterator[str]:
    """Address of a real PostgreSQL. It refuses to run as root, so root runs it as another user."""
    if not PROGRAMS:
        pytest.skip("PostgreSQL is not installed")
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    user = {"user": "postgres"} if os.getuid() == 0 else {}
    if user:
        shutil.chown(folder, "postgres")
    programs = PROGRAMS[0].resolve().parent
    (folder / "password").write_text(PASSWORD)
    login = ["--auth=scram-sha-256", "--username=llp", f"--pwfile={folder / 'password'}"]
    subprocess.run(
        [programs / "initdb", "-D", folder / "data", *login], check=True, stdout=subprocess.DEVNULL, cwd=folder, **user
    )
    port = free_port()
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
    control = [programs / "pg_ctl", "-D", folder / "data", "-l", folder / "log", "-w"]
    subprocess.run([*control, "-o", options, "start"], check=True, stdout=subprocess.DEVNULL, cwd=folder, **user)
    try:
        yield f"postgresql+asyncpg://llp:{PASSWORD}@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], stdout=subprocess.DEVNULL, cwd=folder, **user)
        shutil.rmtree(folder)


@pytest.mark.slow
def test_a_real_postgresql_keeps_everything_and_no_file_its_password(tmp_path, postgres):
    with served(tmp_path / "project", "0 3 * * *", LLP_DATABASE_URL=postgres) as project:
        refused = replace(project, variables={"LLP_DATABASE_URL": postgres.replace(PASSWORD, "wrong")}).llp(
            "server", "up"
        )
        assert refused.returncode == 3
        assert "password authentication failed" in refused.stderr
        assert "wrong" not in refused.stderr

        printed = project.up()
        assert wait_until(lambda: "none" not in project.llp("server", "status").stdout, PATIENCE)
        status = project.llp("server", "status")
        assert "Database   PostgreSQL, 127.0.0.1:" in status.stdout
        project.wait_for(project.run("quiet", name="kept"), "Completed")
        kept = project.runs("Completed"), project.deployments(), project.automations()
        down = project.llp("server", "down")
        printed += project.up()
        assert (project.runs("Completed"), project.deployments(), project.automations()) == kept

        assert not (project.root / ".prefect" / "prefect.db").exists()
        assert (project.root / "runs.log").read_text().split(maxsplit=2)[2] == "[]\n"  # runs need no database
        for text in (printed, status.stdout, status.stderr, down.stdout, down.stderr):
            assert PASSWORD not in text
        files = [file for file in project.root.rglob("*") if file.is_file()]
        assert [file for file in files if PASSWORD.encode() in file.read_bytes()] == []
        settings = httpx.get(f"{project.api}/admin/settings", timeout=60)
        assert PASSWORD not in settings.text
