"""A benchmark as files: the page, its pictures, and the rows."""

import json
from dataclasses import asdict
from pathlib import Path

from llp_core.bench.result import Benchmark
from llp_core.bench.tables import sections, subtitle, tables, title
from llp_core.report.blocks import to_markdown
from llp_core.report.page import write_page
from llp_core.store import new_folder

PAGE, ROWS, LINE = "index.html", "rows.parquet", "latency.json"
"""In the folder of a benchmark."""
STAGE = "bench latency"
"""That made.json names."""


def write_benchmark(folder: Path, found: Benchmark) -> None:
    """Writes the page, the pictures (SVG), `rows.parquet` and `latency.json`, all or nothing.

    Args:
        folder: of the benchmark; what was there is replaced.
        found: what to write.
    """
    import pandas as pd

    made = {"stage": STAGE, "about": found.name, "seed": found.seed, "threads": found.threads}
    with new_folder(folder, made) as unfinished:
        write_page(unfinished, title(found), subtitle(found), sections(found))
        pd.DataFrame([asdict(row) for row in found.rows]).to_parquet(unfinished / ROWS, index=False)
        (unfinished / LINE).write_text(to_json_line(found) + "\n", encoding="utf-8")


def to_text(found: Benchmark) -> str:
    """All tables, as Markdown that reads well in a terminal, then who did not run, and the notes."""
    absent = [f"{entrant.name}: {entrant.note}" for entrant in found.entrants if not entrant.ran]
    return "\n\n".join([f"{title(found)}\n{subtitle(found)}", *map(to_markdown, tables(found)), *absent, *found.notes])


def to_json_line(found: Benchmark) -> str:
    """Everything as one line of JSON."""
    return json.dumps(found.to_json(), allow_nan=False)
