"""The names that files, settings and figures share. Importing this imports nothing heavy."""

from collections.abc import Mapping
from typing import Literal, get_args

Setting = Literal["transductive", "production", "cold_start"]
SETTINGS: tuple[Setting, ...] = get_args(Setting)

Method = Literal["label", "logit", "representation", "rank", "distribution", "llp"]
METHODS: tuple[Method, ...] = get_args(Method)
METHOD_LOSSES: Mapping[Method, tuple[str, ...]] = {
    "label": ("label",),
    "logit": ("label", "logit"),
    "representation": ("label", "representation"),
    "rank": ("label", "rank"),
    "distribution": ("label", "distribution"),
    "llp": ("label", "rank", "distribution"),
}
"""The losses that each method is made of (`llp_core.losses`)."""

TEACHER = "teacher"

EDGE_GROUPS = ("old-old", "old-new", "new-new")
"""Groups of test edges by how many of their ends are new: 0, 1, 2."""
ALL_EDGES = "all"


def is_taught(method: Method) -> bool:
    """Whether a method learns from a teacher; only the plain MLP does not."""
    return METHOD_LOSSES[method] != ("label",)
