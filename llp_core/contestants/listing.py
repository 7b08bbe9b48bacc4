"""Who takes part in the latency benchmark: the GNN, what makes it faster, the student in each runtime, heuristics."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple

import torch

from llp_core.contestants.gnn import GraphScorer
from llp_core.contestants.heuristics import CommonNeighbors
from llp_core.contestants.products import Int8Linear
from llp_core.contestants.pruning import prune
from llp_core.contestants.recorded import RecordedScorer
from llp_core.contestants.setup import CannotRun, PrecisionName, Setup
from llp_core.contestants.torch_student import CompiledStudent, TorchStudent, why_not_compiled
from llp_core.graph import CSR
from llp_core.latency import Scorer
from llp_core.models import LinkModel, NodeFeatures
from llp_core.processes import reuse_memory
from llp_core.sampling import generator

Family = Literal["GNN", "GNN in PyG", "accelerated GNN", "GNN, cached", "student", "student, cached", "heuristic"]
FANOUTS = ((15, 10, 5), (10, 5, 3), (5, 3, 2))
"""Most neighbours drawn of a node, hop by hop from the request's nodes outwards. A layer beyond draws as the last."""


@dataclass(frozen=True, eq=False)
class Contestant:
    """One row of the benchmark.

    Attributes:
        name: for the command line and tables.
        family: what it is.
        scorer: ready to answer; None where it cannot run here.
        note: one sentence that a reader needs, or why it cannot run here.
        exact: whether its scores are by definition those of the float32 model, or of the heuristic, so that online and
            offline they are the same but for rounding of float32.
    """

    name: str
    family: Family
    scorer: Scorer | None
    note: str
    exact: bool


class _Entry(NamedTuple):
    family: Family
    make: Callable[[Setup], Scorer]
    note: str
    exact: bool = False


def _gnn(setup: Setup) -> Scorer:
    return setup.graph_scorer(setup.teacher)


def _pyg(setup: Setup) -> Scorer:
    from llp_core.contestants.pyg import PyGScorer  # the library takes a second to load

    try:
        return PyGScorer(setup.teacher, setup.features, setup.graph)
    except MemoryError as error:
        raise CannotRun(str(error)) from None


def _sampled(setup: Setup, fanouts: tuple[int, ...]) -> Scorer:
    layers = setup.teacher.spec.layers
    cut = (fanouts + fanouts[-1:] * layers)[:layers]
    rng = generator(0, "contestants", *fanouts, device=setup.device)
    return setup.graph_scorer(setup.teacher, cut, rng)


def _pruned(setup: Setup) -> Scorer:
    if setup.teacher.spec.hidden == 1:
        raise CannotRun("a model of one channel has no half")
    half = prune(setup.teacher)
    setup.tune(half)
    return setup.graph_scorer(half)


def _int8(setup: Setup) -> Scorer:
    setup.require_cpu("int8 in PyTorch, by oneDNN,")
    try:
        model = setup.with_products(setup.teacher, Int8Linear)
    except (RuntimeError, AttributeError) as error:
        raise CannotRun(f"this PyTorch has no int8 product for this processor: {error}") from None
    if not any(isinstance(part, Int8Linear) for part in model.modules()):
        raise CannotRun("one layer of sparse features and a linear decoder have no dense product to round")
    return GraphScorer(model, setup.features, setup.graph)


def _cached(setup: Setup) -> Scorer:
    with torch.inference_mode():
        scorer = setup.graph_scorer(setup.teacher)
        return setup.cached_scorer(scorer.model, scorer.encode_all())


def _student(setup: Setup, dtype: torch.dtype) -> Scorer:
    return TorchStudent(setup.student, setup.features, dtype)


def _compiled(setup: Setup) -> Scorer:
    reason = why_not_compiled(setup.device)
    if reason is not None:
        raise CannotRun(reason)
    return CompiledStudent(setup.student, setup.features)


def _recorded(setup: Setup) -> Scorer:
    if setup.device.type != "cuda":
        raise CannotRun("CUDA graphs run on GPUs of NVIDIA alone")
    if setup.features.matrix.layout == torch.sparse_csr:
        raise CannotRun(
            "how long rows of sparse features are is known on the GPU alone, and a CUDA graph waits for nothing"
        )
    return RecordedScorer(TorchStudent(setup.student, setup.features))


def _onnx(setup: Setup, precision: PrecisionName) -> Scorer:
    setup.require_cpu("ONNX Runtime, as it is installed here,")
    from llp_core.contestants.runtimes import onnx_runtime

    return setup.onnx_student(precision, onnx_runtime)


def _openvino(setup: Setup, precision: PrecisionName) -> Scorer:
    setup.require_cpu("OpenVINO, as it is used here,")
    from llp_core.contestants.runtimes import openvino

    return setup.onnx_student(precision, openvino)


def _cached_student(setup: Setup, precision: PrecisionName) -> Scorer:
    if precision != "float32":
        setup.require_cpu("ONNX Runtime, as it is installed here,")
    with torch.inference_mode():
        representations = setup.student.encode(setup.features)
    if setup.device.type != "cpu":
        return setup.cached_scorer(setup.student, representations)
    from llp_core.contestants.onnx_student import CachedOnnxStudent
    from llp_core.contestants.runtimes import onnx_runtime

    return CachedOnnxStudent(setup.student, representations, setup.precision(precision), onnx_runtime, setup.threads)


def _common(setup: Setup) -> Scorer:
    return CommonNeighbors.counted(setup.graph)


def _resources(setup: Setup) -> Scorer:
    return CommonNeighbors.by_resources(setup.graph)


_BYTES = (
    "weights and values are bytes, by scales found on the features and on 4,096 pairs of the graph; not fine-tuned; "
    "the product with sparse features is float32, in PyTorch"
)
_ENTRIES: Mapping[str, _Entry] = {
    "gnn": _Entry("GNN", _gnn, "all neighbours, as many hops as there are layers", exact=True),
    "gnn-pyg": _Entry(
        "GNN in PyG",
        _pyg,
        "the same by the layers of PyTorch Geometric and its k_hop_subgraph, as its documentation shows",
        exact=True,
    ),
    **{
        "gnn-sampled-" + "-".join(map(str, fanouts)): _Entry(
            "accelerated GNN",
            partial(_sampled, fanouts=fanouts),
            f"at most {', '.join(map(str, fanouts))} neighbours drawn of each node, from the pair outwards: scores are "
            "estimates, other ones each time",
        )
        for fanouts in FANOUTS
    },
    "gnn-pruned": _Entry(
        "accelerated GNN",
        _pruned,
        "half of the channels of every layer, those with the largest weights; fine-tuned where models are trained",
    ),
    "gnn-int8": _Entry(
        "accelerated GNN",
        _int8,
        "weights and values rounded to 8 bits, values by their range as they come; not calibrated, not fine-tuned; "
        "sums over neighbours in float32",
    ),
    "gnn-cached": _Entry(
        "GNN, cached",
        _cached,
        "representations computed beforehand: stale as soon as an edge or a feature changes; offline encodes nothing",
        exact=True,
    ),
    "student": _Entry("student", partial(_student, dtype=torch.float32), "eager PyTorch", exact=True),
    "student-bfloat16": _Entry(
        "student", partial(_student, dtype=torch.bfloat16), "eager PyTorch, weights and values with 8 significant bits"
    ),
    "student-compiled": _Entry("student", _compiled, "torch.compile; its first request compiles", exact=True),
    "student-cuda-graph": _Entry(
        "student", _recorded, "eager PyTorch, recorded as a CUDA graph for each power of two of pairs", exact=True
    ),
    "student-onnx": _Entry("student", partial(_onnx, precision="float32"), "ONNX Runtime", exact=True),
    "student-onnx-bfloat16": _Entry(
        "student", partial(_onnx, precision="bfloat16"), "ONNX Runtime, products with 8 significant bits"
    ),
    "student-onnx-int8": _Entry("student", partial(_onnx, precision="int8"), f"ONNX Runtime; {_BYTES}"),
    "student-openvino-int8": _Entry("student", partial(_openvino, precision="int8"), f"OpenVINO; {_BYTES}"),
    "student-cached": _Entry(
        "student, cached",
        partial(_cached_student, precision="float32"),
        "representations computed when a node's features come, ONNX Runtime for the pairs (on a GPU PyTorch, as a CUDA "
        "graph): no edge makes one stale, and a new node needs its features alone; offline encodes nothing",
        exact=True,
    ),
    "student-cached-int8": _Entry(
        "student, cached",
        partial(_cached_student, precision="int8"),
        "the same; weights and values are bytes, as above",
    ),
    "common-neighbors": _Entry("heuristic", _common, "how many nodes both ends are linked to; no model", exact=True),
    "resource-allocation": _Entry(
        "heuristic", _resources, "the sum of 1 / degree over nodes that both ends are linked to; no model", exact=True
    ),
}
NAMES = tuple(_ENTRIES)
"""Of all contestants, in order."""


def contestants(
    teacher: LinkModel,
    student: LinkModel,
    features: NodeFeatures,
    graph: CSR,
    device: torch.device,
    threads: int,
    tune: Callable[[LinkModel], object],
    names: Collection[str] = NAMES,
) -> Iterator[Contestant]:
    """The contestants of these names, made one by one, in the order of `NAMES`.

    Those that cannot run here come with the reason.

    From here on this process keeps freed memory (`reuse_memory`), as a service would: large requests of the GNN
    otherwise wait for fresh pages.

    Args:
        teacher: a GNN, in evaluation mode.
        student: an MLP, in evaluation mode.
        features: of every node.
        graph: neighbours of every node at inference.
        device: where all of these lie.
        threads: of runtimes with threads of their own; those of PyTorch are set by whoever measures.
        tune: trains the pruned teacher on, in place.
        names: of those wanted; the others are not made.
    """
    reuse_memory()
    setup = Setup(teacher, tune, student, features, graph, device, threads)
    for name, entry in _ENTRIES.items():
        if name not in names:
            continue
        try:
            yield Contestant(name, entry.family, entry.make(setup), entry.note, entry.exact)
        except CannotRun as reason:
            yield Contestant(name, entry.family, None, f"cannot run here: {reason}", entry.exact)
