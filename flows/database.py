"""Where Prefect's server keeps its runs: SQLite in PREFECT_HOME, or the database that LLP_DATABASE_URL names."""

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

from llp_core.errors import InputError

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

VARIABLE = "LLP_DATABASE_URL"
OF_SERVER = ("PREFECT_SERVER_DATABASE_CONNECTION_URL", "PREFECT_API_DATABASE_CONNECTION_URL")
"""Prefect's variables for it, the second one by its former name."""
_DRIVER = "postgresql+asyncpg"
_FORM = f"{_DRIVER}://USER:PASSWORD@HOST:PORT/DATABASE"
_SECONDS = 15


def server_environment() -> dict[str, str]:
    """Variables that tell the server its database; none for SQLite."""
    return {OF_SERVER[0]: os.environ[VARIABLE]} if os.environ.get(VARIABLE) else {}


def without_database(environment: dict[str, str]) -> dict[str, str]:
    """The environment of programs that are not to know the database's password."""
    return {name: value for name, value in environment.items() if name not in (VARIABLE, *OF_SERVER)}


def describe_database(home: Path) -> str:
    """The database that a server started now would use, without user and password.

    Raises:
        InputError: LLP_DATABASE_URL is not what it must be, or PostgreSQL does not let us in.
    """
    text = os.environ.get(VARIABLE)
    if not text:
        file = home / "prefect.db"
        return f"SQLite, {file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file}"
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # both quote the text, password and all
        raise InputError(f"{VARIABLE}: not an address of a database. Expected {_FORM}.") from None
    if url.drivername != _DRIVER or not url.database:
        raise InputError(f"{VARIABLE}: expected {_FORM}, got one that begins with {url.drivername}://.")
    shown = f"PostgreSQL, {url.host or 'this machine'}{f':{url.port}' if url.port else ''}/{url.database}"
    _require_answer(url, shown)
    return shown


def _require_answer(url: "URL", shown: str) -> None:
    from sqlalchemy.ext.asyncio import create_async_engine

    async def connect() -> None:
        engine = create_async_engine(url)
        try:
            async with asyncio.timeout(_SECONDS), engine.connect():
                pass
        finally:
            await engine.dispose()

    try:
        asyncio.run(connect())
    except TimeoutError:
        raise InputError(f"{VARIABLE}: {shown} does not answer within {_SECONDS} seconds.") from None
    except Exception as error:  # of the network, of asyncpg, of SQLAlchemy
        reason = str(error).replace(url.password or "\0", "***")
        raise InputError(f"{VARIABLE}: {shown} does not let us in: {reason}") from None
