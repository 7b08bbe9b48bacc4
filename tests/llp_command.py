"""The command line in the process of a test."""

import sys

import pytest

from llp_core.cli import main


def llp(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    """The exit code of `llp` with these arguments."""
    monkeypatch.setattr(sys, "argv", ["llp", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return end.value.code
