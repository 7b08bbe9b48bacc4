"""What contestants are made of, and the parts that several of them share."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NamedTuple

import torch
from torch import Tensor, nn

from llp_core.contestants.gnn import CachedScorer, GraphScorer
from llp_core.contestants.products import Float32Linear, with_products
from llp_core.contestants.recorded import RecordedScorer
from llp_core.errors import InputError
from llp_core.graph import CSR
from llp_core.latency import Scorer
from llp_core.models import LinkModel, NodeFeatures
from llp_core.models.layers import Linear
from llp_core.models.rounding import find_rounding

if TYPE_CHECKING:  # ONNX is loaded where it is asked for: the stages use this package without it
    from llp_core.contestants.runtimes import Runtime
    from llp_core.models.onnx_file import Precision

PrecisionName = Literal["float32", "bfloat16", "int8"]


class CannotRun(Exception):
    """This contestant cannot run here; the message says why."""


class Setup(NamedTuple):
    """What contestants are made of.

    Attributes:
        teacher: a GNN, in evaluation mode.
        tune: trains the pruned teacher on, in place.
        student: an MLP, in evaluation mode.
        features: of every node.
        graph: neighbours of every node at inference.
        device: where all of these lie.
        threads: of runtimes with threads of their own.
    """

    teacher: LinkModel
    tune: Callable[[LinkModel], object]
    student: LinkModel
    features: NodeFeatures
    graph: CSR
    device: torch.device
    threads: int

    def require_cpu(self, what: str) -> None:
        """Raises CannotRun on any other device."""
        if self.device.type != "cpu":
            raise CannotRun(f"{what} runs on CPUs alone")

    def graph_scorer(
        self, model: LinkModel, fanouts: tuple[int, ...] | None = None, rng: torch.Generator | None = None
    ) -> GraphScorer:
        """A GNN with the fastest float32 products there are here."""
        if self.device.type == "cpu" and torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
            model = self.with_products(model, Float32Linear)
        return GraphScorer(model, self.features, self.graph, fanouts, rng)

    def cached_scorer(self, model: LinkModel, representations: Tensor) -> Scorer:
        """Decodes by PyTorch, on a GPU as recorded."""
        scorer = CachedScorer(model, representations)
        return scorer if self.device.type == "cpu" else RecordedScorer(scorer)

    def with_products(self, model: LinkModel, made: Callable[[Linear], nn.Module]) -> LinkModel:
        """See `llp_core.contestants.products.with_products`."""
        return with_products(model, made, self.features.matrix.layout == torch.sparse_csr)

    def precision(self, name: PrecisionName) -> "Precision":
        """In int8 by scales of this student, features and graph."""
        if name != "int8":
            return name
        try:
            return find_rounding(self.student, self.features, self.graph)
        except InputError as error:
            raise CannotRun(str(error)) from None

    def onnx_student(self, precision: PrecisionName, runtime: "Runtime") -> Scorer:
        """The student, from features, in a runtime of ONNX."""
        from llp_core.contestants.onnx_student import OnnxStudent

        return OnnxStudent(self.student, self.features, self.precision(precision), runtime, self.threads)
