"""Columns that several tables are made of: flags and keys of node pairs, as NumPy arrays."""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from llp_core.graph import undirected_keys

Flags = npt.NDArray[np.bool_]
Keys = npt.NDArray[np.int64]

UNKNOWN = -1
"""The key of a pair with an end that is no node: it counts in `ends_known` and nowhere else."""


def to_flags(values: Tensor) -> Flags:
    """Bool [M] as an array on the same memory."""
    flags: Flags = values.numpy()
    return flags


def padded(flags: Flags, count: int) -> Flags:
    """The first `count` flags; False for each that is missing."""
    result = np.zeros(count, dtype=bool)
    result[: len(flags)] = flags[:count]
    return result


def end_columns(pairs: Tensor) -> dict[str, Any]:
    """The ends of int64 [2, E] pairs as two columns."""
    return {"source": pairs[0].numpy(), "target": pairs[1].numpy()}


def known_keys(pairs: Tensor, num_nodes: int) -> tuple[Keys, Flags]:
    """`undirected_keys`, `UNKNOWN` where an end is no node, and bool [2, E]: whether each end is a node."""
    known = (pairs >= 0) & (pairs < num_nodes)
    keys = undirected_keys(pairs, num_nodes)
    return torch.where(known.all(0), keys, UNKNOWN).numpy(), known.numpy()


def is_repeated(keys: Keys, keep: Literal["first", False] = "first") -> Flags:
    """Whether a pair occurred before, or with `keep` False also whether it will occur again."""
    ascending = np.sort(keys)  # takes a tenth of the time of what follows, which a graph without a fault never needs
    if not (ascending[1:] == ascending[:-1]).any():
        return np.zeros(len(keys), dtype=bool)
    result: Flags = pd.Series(keys).duplicated(keep=keep).to_numpy() & (keys != UNKNOWN)
    return result


def is_among(keys: Keys, others: Keys) -> Flags:
    """Whether each pair is one of the others."""
    result: Flags = pd.Series(keys).isin(others).to_numpy() & (keys != UNKNOWN)
    return result


def in_range(logits: Tensor) -> Tensor:
    """Whether the sigmoid lies in 0..1, which it does unless the logit is not a number."""
    probability = torch.sigmoid(logits)
    return (probability >= 0) & (probability <= 1)


def all_finite(logits: Tensor, over: tuple[int, ...]) -> Tensor:
    """Whether all values over some dimensions are finite, without a copy of the values."""
    return torch.isfinite(logits.amin(over)) & torch.isfinite(logits.amax(over))
