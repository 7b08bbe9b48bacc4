"""What the tests of trainings share: whether two models are the same, and a training that is killed."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

from llp_core.models import LinkModel
from llp_core.progress import Progress
from llp_core.training.checkpoint import Checkpoint


def weights(model: LinkModel) -> list[torch.Tensor]:
    return list(model.state_dict().values())


def same(one: LinkModel, other: LinkModel) -> bool:
    """To the last bit."""
    return all(torch.equal(a, b) for a, b in zip(weights(one), weights(other), strict=True))


class KilledError(Exception):
    """Stands for the end of the process."""


@contextmanager
def killed(monkeypatch: pytest.MonkeyPatch, after: int) -> Iterator[None]:
    """A training within ends after so many epochs, each of which was kept."""
    advance = Progress.advance

    def advance_then_die(self: Progress, steps: float = 1, /, **figures: float) -> None:
        advance(self, steps, **figures)
        if figures and round(self.done, 2) == after:  # an epoch is done and kept
            raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "due", lambda self: True)
        patch.setattr(Progress, "advance", advance_then_die)
        with pytest.raises(KilledError):
            yield
