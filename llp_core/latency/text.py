"""The table of the stage, for people and for programs."""

import json
from dataclasses import asdict

from llp_core.latency.measuring import REGIMES
from llp_core.machine import machine
from llp_core.names import TEACHER
from llp_core.types import LatencyRow, LatencyTable


def times_faster(table: LatencyTable, row: LatencyRow) -> float | None:
    """The teacher's median time over this row's, in the same regime and size; None where no teacher was timed."""
    try:
        teacher = table.row(TEACHER, row.regime, row.pairs)
    except KeyError:
        return None
    return teacher.p50_seconds / row.p50_seconds


def to_json_line(table: LatencyTable) -> str:
    """The table as one line of JSON, with the machine, its versions and each row's `times_faster`."""
    rows = [{**asdict(row), "times_faster": times_faster(table, row)} for row in table.rows]
    return json.dumps({**asdict(table), "rows": rows, "machine": asdict(machine())}, allow_nan=False)


def to_text(table: LatencyTable) -> str:
    """The table for people, with what each regime measures above it. Times in milliseconds."""
    lines = [f"Latency, {table.setting}: {table.device}, {table.threads} thread{'s' * (table.threads > 1)}"]
    lines += [f"  {regime}: {meaning}" for regime, meaning in REGIMES.items()]
    width = max(len("method"), *(len(row.method) for row in table.rows))
    times = "".join(f"{name + ' ms':>11}" for name in ("p50", "p95", "p99", "first"))
    lines.append(f"{'regime':<8}{'pairs':>9}  {'method':<{width}}{times}{'requests':>10}{'faster':>9}")
    for row in table.rows:
        seconds = (row.p50_seconds, row.p95_seconds, row.p99_seconds, row.first_seconds)
        times = "".join(f"{1e3 * value:>11.3f}" for value in seconds)
        faster = times_faster(table, row)
        shown = "" if faster is None else f"{faster:.2f}x"
        lines.append(f"{row.regime:<8}{row.pairs:>9}  {row.method:<{width}}{times}{row.requests:>10}{shown:>9}")
    return "\n".join(lines)
