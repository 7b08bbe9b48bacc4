"""What the objects of `llp_core.types` demand of their fields; each raises ValueError with expected and found."""

import torch
from torch import Tensor

from llp_core.graph import distinct_keys, pair_keys
from llp_core.names import SETTINGS


def require(condition: bool, message: str) -> None:
    """Raises ValueError with the message unless the condition holds."""
    if not condition:
        raise ValueError(message)


def require_tensor(name: str, tensor: Tensor, dtype: torch.dtype, shape: tuple[int | None, ...]) -> None:
    """A tensor of a dtype and a shape; None stands for any size."""
    require(tensor.dtype == dtype, f"{name}: expected {dtype}, got {tensor.dtype}")
    fits = tensor.dim() == len(shape) and all(
        want is None or want == got for want, got in zip(shape, tensor.shape, strict=True)
    )
    wanted = ["any" if size is None else str(size) for size in shape]
    require(fits, f"{name}: expected shape [{', '.join(wanted)}], got {list(tensor.shape)}")


def require_setting(setting: str) -> None:
    """One of the three settings."""
    require(setting in SETTINGS, f"setting: expected one of {', '.join(SETTINGS)}, got {setting!r}")


def require_pairs(name: str, pairs: Tensor, num_nodes: int) -> None:
    """Undirected node pairs: int64 [2, E], the smaller id first, ids in 0..num_nodes-1, none twice."""
    require_tensor(name, pairs, torch.int64, (2, None))
    if pairs.numel() == 0:
        return
    low, high = int(pairs.min()), int(pairs.max())
    require(low >= 0 and high < num_nodes, f"{name}: ids must lie in 0..{num_nodes - 1}, got {low}..{high}")
    reversed_or_self = int((pairs[0] >= pairs[1]).sum())
    require(reversed_or_self == 0, f"{name}: {reversed_or_self} pairs are not (smaller id, larger id)")
    repeated = pairs.shape[1] - distinct_keys(pair_keys(pairs, num_nodes)).numel()
    require(repeated == 0, f"{name}: {repeated} pairs occur more than once")


def require_features(features: Tensor) -> None:
    """Features float32 [N, F], strided or `sparse_csr`."""
    require(features.layout in (torch.strided, torch.sparse_csr), f"features: layout {features.layout} is not known")
    require_tensor("features", features, torch.float32, (None, None))
