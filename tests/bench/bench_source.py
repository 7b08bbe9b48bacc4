"""Subjects that take a moment, with contestants that need no compiler; the closed loop's processes import this."""

import os
import signal
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from llp_core.bench.subject import Subject, untrained
from llp_core.contestants.gnn import GraphScorer
from llp_core.contestants.torch_student import TorchStudent
from llp_core.datasets.shapes import shape_graph
from llp_core.latency import Scorer


@dataclass(frozen=True)
class Entry:
    """As a contestant is."""

    name: str
    family: str
    scorer: Scorer | None
    note: str
    exact: bool


class Slow:
    def online(self, pairs: Tensor) -> Tensor:
        time.sleep(0.002)
        return pairs.sum(0).float()

    offline = online


class Broken(Slow):
    def online(self, pairs: Tensor) -> Tensor:
        raise ArithmeticError("no such sum")


class Mortal(Slow):
    """Answers in one process, and kills any that is forked from it."""

    def __init__(self) -> None:
        self.home: int | None = None

    def online(self, pairs: Tensor) -> Tensor:
        self.home = self.home or os.getpid()
        if os.getpid() != self.home:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().online(pairs)


EXTRA: dict[str, Scorer] = {"slow": Slow(), "broken": Broken()}


class TinySubject(Subject):
    """Its contestants: the two models, one that cannot run, one that cannot be forked, and one of `EXTRA`."""

    extra = "slow"

    def contestants(self, threads: int, names: Collection[str], timed_only: bool = False) -> Iterator[Any]:
        made = (
            Entry("full GNN", "GNN", GraphScorer(self.teacher, self.features, self.graph), "all neighbours", True),
            Entry("int9", "student", None, "no such kernel here", False),
            Entry("mortal", "heuristic", Mortal(), "one process", False),
            Entry("eager", "student", TorchStudent(self.student, self.features), "torch", True),
            Entry(self.extra, "heuristic", EXTRA[self.extra], "sums ids", False),
        )
        yield from (one for one in made if one.name in names)


@dataclass(frozen=True)
class DeadSource:
    """Ends its process."""

    def load(self, device: torch.device) -> Subject:
        os._exit(9)


@dataclass(frozen=True)
class TinySource:
    """A graph of 60 nodes; its first 50 offline pairs are taken for test edges where `scored`."""

    scored: bool = False
    extra: str = "slow"

    def load(self, device: torch.device) -> Subject:
        rng = torch.Generator().manual_seed(0)
        subject = untrained(shape_graph("tiny", 60, 90, 5, rng), 2, 8, rng, device)
        values = {field.name: getattr(subject, field.name) for field in fields(Subject)}
        values["offline_pairs"] = subject.offline_pairs[:, :150]
        tiny = TinySubject(**values | {"test_edges": 50 if self.scored else None})
        object.__setattr__(tiny, "extra", self.extra)
        return tiny
