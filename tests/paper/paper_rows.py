"""Rows of results made up for the tests."""

import json

from llp_core.names import SETTINGS
from llp_core.paper.cells import SCHEMA, Row
from llp_core.paper.plan import OWN_REVISIONS, REVISION, Cell

BLANK: Row = {
    **dict.fromkeys(SCHEMA.names),
    "all.positives": 100,
    "negatives": 100,
    "best_epoch": 4,
    "epochs": 9,
    "valid_score": 0.5,
    "commit": "0123456789+",
    "cpu_seconds": 2.0,
    "seconds": 3.0,
    "peak_memory_mb": 400.0,
    "resumed": False,
    "cpu": "a processor",
    "cores": 2,
    "torch": "2.0",
}


def row(cell: Cell, hits: float, **values: object) -> Row:
    """The row of a cell with Hits@20, a share."""
    settings = json.dumps({"revision": REVISION + OWN_REVISIONS.get(cell.method, 0)})
    return BLANK | cell._asdict() | {"all.hits_at_20": hits, "settings": settings} | values


def rows_of(dataset: str, hits: dict[str, list[float]]) -> list[Row]:
    """Rows in every setting: method -> Hits@20 of seeds 0, 1, ..."""
    return [
        row(Cell(dataset, setting, method, 234, seed), value)
        for setting in SETTINGS
        for method, values in hits.items()
        for seed, value in enumerate(values)
    ]
