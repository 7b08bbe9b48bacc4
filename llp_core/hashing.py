"""Draws that follow what is drawn, not how many there are: by a hash of each node's id.

A graph grows from day to day. An edge that was held out for the test yesterday must be held out today, or the model of
yesterday would be tested on what it was trained on. So splits take nodes and edges in the order of a hash of their
ids: a new one finds its place between the others, and moves none of them past another.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def node_hashes(node_ids: Sequence[str]) -> Tensor:
    """A hash of each id, int64 [N], the same on every machine and in every graph."""
    digests = b"".join(hashlib.blake2b(one.encode(), digest_size=8).digest() for one in node_ids)
    return torch.from_numpy(np.frombuffer(digests, dtype="<i8").astype(np.int64))


def pair_hashes(hashes: Tensor, pairs: Tensor) -> Tensor:
    """A hash of each pair, int64 [P], whichever of its nodes stands first.

    Args:
        hashes: int64 [N], of the nodes.
        pairs: int64 [2, P], of node numbers.
    """
    ends = _mixed(hashes.numpy().view(np.uint64))[pairs.numpy()]
    return torch.from_numpy(_mixed(ends[0] + ends[1]).view(np.int64))


def hash_order(hashes: Tensor, rng: torch.Generator) -> Tensor:
    """A random order, int64 [M], that puts any two hashes the same way round whichever others there are.

    Args:
        hashes: int64 [M].
        rng: one number is drawn, which decides the order.
    """
    salt = torch.randint(torch.iinfo(torch.int64).max, (1,), generator=rng).numpy().view(np.uint64)
    salted = _mixed(hashes.numpy().view(np.uint64) ^ salt)
    return torch.from_numpy(np.argsort(salted))


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The last steps of SplitMix64 (doi 10.1145/2660193.2660195): close numbers come out far apart, none twice."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
