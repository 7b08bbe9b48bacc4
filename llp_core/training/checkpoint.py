"""A training's whole state on disk, so that a killed one goes on and ends with the very same weights."""

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from llp_core.errors import InputError
from llp_core.store import new_folder, read_json, read_tensors, write_json, write_tensors


def fingerprint(settings: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of settings and tensors; of everything that a training depends on: two with the same one end the same."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(name.encode())
        sparse = tensor.layout == torch.sparse_csr
        parts = (tensor.crow_indices(), tensor.col_indices(), tensor.values()) if sparse else (tensor,)
        for part in parts:
            digest.update(f"{part.dtype}{list(part.shape)}".encode())
            digest.update(part.contiguous().numpy().data)
    return digest.hexdigest()


@dataclass
class Checkpoint:
    """Where and how often a training's state is kept.

    Attributes:
        folder: of this training alone.
        fingerprint: of the training; a state with another one is of no use and is ignored.
        seconds: between two writes.
    """

    folder: Path
    fingerprint: str
    seconds: float = 10.0
    _written: float = field(default_factory=time.monotonic, init=False)

    def due(self) -> bool:
        """Whether the last write is long enough ago."""
        return time.monotonic() - self._written >= self.seconds

    def write(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Replaces the state on disk; killed between its two renames, the training begins anew."""
        with new_folder(self.folder, {"fingerprint": self.fingerprint}) as folder:
            write_tensors(folder / "state.safetensors", tensors)
            write_json(folder / "state.json", state)
        self._written = time.monotonic()

    def read(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """The state on disk, or None where there is none of this very training."""
        try:
            if read_json(self.folder / "made.json")["fingerprint"] != self.fingerprint:
                return None
            return read_tensors(self.folder / "state.safetensors"), read_json(self.folder / "state.json")
        except InputError:
            return None
