"""Who may call Prefect's server from a browser."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ASK = """
import sys
import flows
from prefect.server.api.server import create_app
from starlette.testclient import TestClient
asked = {"Origin": sys.argv[1], "Access-Control-Request-Method": "POST"}
print(TestClient(create_app()).options("/api/flow_runs/", headers=asked).headers.get("access-control-allow-origin"))
"""


@pytest.mark.parametrize(("origin", "let_in"), [("http://127.0.0.1:4200", True), ("https://other.example", False)])
def test_pages_of_others_are_not_let_in(origin: str, let_in: bool, tmp_path: Path) -> None:
    environment = os.environ | {"PREFECT_HOME": str(tmp_path)}
    command = [sys.executable, "-c", ASK, origin]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(origin if let_in else None)
