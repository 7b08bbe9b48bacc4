"""The command line, `llp`: parses, calls, prints. Each command imports what it needs when it is called."""

from llp_core.cli.app import main

__all__ = ["main"]
