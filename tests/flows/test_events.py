"""The event of an ingest: who is told, and what is said where nobody is."""

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_CSRF_SUPPORT_ENABLED, temporary_settings

from flows.events import announce_ingest

CLOSED = "http://127.0.0.1:9/api"


@pytest.fixture
def posted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, Any]]]:
    """What a server that PREFECT_API_URL names is sent: paths and bodies."""
    seen: list[tuple[str, Any]] = []

    class Server(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Server) as server:
        api = f"http://127.0.0.1:{server.server_port}/api"
        monkeypatch.setenv("PREFECT_API_URL", api)
        threading.Thread(target=server.serve_forever).start()
        with temporary_settings({PREFECT_API_URL: api, PREFECT_CLIENT_CSRF_SUPPORT_ENABLED: False}):
            yield seen
        server.shutdown()


def test_a_server_is_told(posted: list[tuple[str, Any]]) -> None:
    assert announce_ingest(3, "1 edge added")
    ((path, (event,)),) = posted
    assert path == "/api/events"
    assert event["event"] == "llp.data.ingested"
    assert event["resource"] == {"prefect.resource.id": "llp.data.live"}
    assert event["payload"] == {"version": 3, "changed": "1 edge added"}


def test_a_server_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("PREFECT_API_URL", CLOSED)
    with temporary_settings({PREFECT_API_URL: CLOSED}), caplog.at_level(logging.WARNING, "flows.events"):
        assert not announce_ingest(3, "1 edge added")
    assert caplog.messages[0].startswith(f"Prefect's server at {CLOSED} was not told of version 3")


def test_a_password_in_the_address_is_not_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    address = CLOSED.replace("://", "://user:secret@")
    monkeypatch.setenv("PREFECT_API_URL", address)
    with temporary_settings({PREFECT_API_URL: address}), caplog.at_level(logging.WARNING, "flows.events"):
        assert not announce_ingest(3, "1 edge added")
    assert caplog.messages[0].startswith(f"Prefect's server at {CLOSED} was not told of version 3")
    assert "secret" not in caplog.text


def test_no_server(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    assert not announce_ingest(3, "1 edge added")
    assert caplog.messages == []
