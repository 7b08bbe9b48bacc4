"""The settings that the paper's authors published for each data set, as points to start from."""

from typing import Any, NamedTuple

from llp_core.names import Setting


class Published(NamedTuple):
    """One line of the published settings.

    Attributes:
        label, rank, distribution: weights of the losses.
        dropout, learning_rate: of the student.
        margin: of the rank loss.
        length, walks, random_ratio: of the contexts.
    """

    label: float
    rank: float
    distribution: float
    dropout: float
    learning_rate: float
    margin: float
    length: int
    walks: int
    random_ratio: int


TRANSDUCTIVE = {
    "cora": Published(0.1, 1, 0.001, 0.5, 0.01, 0.1, 2, 3, 1),
    "citeseer": Published(0.001, 1000, 0.001, 0.5, 0.01, 0.1, 1, 3, 4),
    "pubmed": Published(0.0001, 0.1, 0.1, 0, 0.01, 0.05, 3, 5, 5),
    "cs": Published(10, 0.1, 100, 0, 0.001, 0.1, 3, 3, 4),
    "physics": Published(1, 1, 1, 0, 0.001, 0.05, 15, 1, 3),
    "photos": Published(1, 1, 1, 0, 0.001, 0.05, 15, 3, 10),
    "computers": Published(1, 1, 1, 0, 0.0005, 0.05, 5, 2, 5),
    "collab": Published(1, 0, 1, 0, 0.001, 0.01, 3, 3, 3),
}
PRODUCTION = {
    "cora": Published(1000, 0.01, 0.001, 0.5, 0.01, 0.05, 3, 3, 3),
    "citeseer": Published(100, 0.0001, 0, 0.5, 0.01, 0.1, 1, 3, 5),
    "pubmed": Published(0.0001, 0.001, 0.01, 0, 0.01, 0.2, 3, 3, 5),
    "cs": Published(1, 100, 10, 0, 0.001, 0.1, 1, 3, 4),
    "physics": Published(0.1, 0.01, 10, 0, 0.0005, 0.2, 2, 2, 4),
    "computers": Published(0.01, 0.1, 0, 0, 0.001, 0.2, 2, 2, 4),
    "photos": Published(100, 1000, 0.0001, 0, 0.001, 0.05, 2, 3, 2),
}
SLOW_TEACHERS = ("computers", "photos")
"""Whose teachers learn at 0.001 in place of 0.005."""


def published(dataset: str, setting: Setting) -> dict[str, Any]:
    """`section.key` -> published value; empty for a data set without any. Cold start takes those of production.

    Only the ratio of loss weights matters to Adam on clipped gradients, so the label's is made 1.
    """
    line = (TRANSDUCTIVE if setting == "transductive" else PRODUCTION).get(dataset)
    if line is None:
        return {}
    return {
        "teacher.learning_rate": 0.001 if dataset in SLOW_TEACHERS else 0.005,
        "teacher.dropout": 0.5,
        "student.learning_rate": line.learning_rate,
        "student.dropout": float(line.dropout),
        "student.rank_weight": line.rank / line.label,
        "student.distribution_weight": line.distribution / line.label,
        "student.margin": line.margin,
        "student.temperature": 1.0,
        "student.match": "probabilities",
        "student.start": "fresh",
        "contexts.length": line.length,
        "contexts.walks": line.walks,
        "contexts.random_ratio": line.random_ratio,
    }
