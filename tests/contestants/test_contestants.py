"""All contestants: exact ones give the model's scores, the others nearly, and who cannot run here says why."""

import subprocess
import sys

import pytest
import torch
import torch._inductor.config  # reads CXX as it is loaded: before a test below sets that
from contestant_models import MakeModel
from scipy.stats import spearmanr
from torch import Tensor

from llp_core.contestants import NAMES, Contestant, contestants
from llp_core.graph import CSR
from llp_core.models import Adjacency, LinkModel, NodeFeatures

CPU = torch.device("cpu")
# The smallest rank correlation with the float32 model that rounding may leave.
ROUNDED = {
    "gnn-int8": 0.99,
    "student-bfloat16": 0.99,
    "student-onnx-bfloat16": 0.99,
    "student-onnx-int8": 0.98,
    "student-openvino-int8": 0.98,
    "student-cached-int8": 0.98,
}


@pytest.fixture(autouse=True)
def _no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """To compile takes half a minute; test_torch_student.py does."""
    monkeypatch.setenv("CXX", "no-such-compiler")


def reference(model: LinkModel, features: NodeFeatures, graph: CSR, pairs: Tensor) -> Tensor:
    with torch.inference_mode():
        return model.score(model.encode(features, Adjacency.from_csr(*graph, graph.degree)), pairs)


def listed(teacher: LinkModel, student: LinkModel, features: NodeFeatures, graph: CSR) -> list[Contestant]:
    return list(contestants(teacher, student, features, graph, CPU, 1, tune=lambda changed: None))


@pytest.mark.parametrize("encoder", ["sage", "gcn"])
@pytest.mark.parametrize("layers", [1, 3])
def test_scores(
    encoder: str, layers: int, make_model: MakeModel, node_features: NodeFeatures, heavy_graph: CSR, pairs: Tensor
) -> None:
    teacher, student = make_model(encoder, layers), make_model("mlp", layers)
    expected = {
        "student": reference(student, node_features, heavy_graph, pairs),
        "teacher": reference(teacher, node_features, heavy_graph, pairs),
    }
    for one in listed(teacher, student, node_features, heavy_graph):
        if one.scorer is None:
            continue
        with torch.inference_mode():
            online, offline = one.scorer.online(pairs), one.scorer.offline(pairs)
        assert (online.shape, online.dtype) == ((90,), torch.float32), one.name
        assert (offline.shape, offline.dtype) == ((90,), torch.float32), one.name
        model = expected["student" if one.family.startswith("student") else "teacher"]
        if one.exact:
            assert torch.allclose(online, offline, rtol=1e-4, atol=1e-5), one.name
        if one.exact and one.family != "heuristic":
            assert torch.allclose(online, model, rtol=1e-4, atol=1e-5), one.name
        if one.name in ROUNDED:
            assert spearmanr(online, model)[0] > ROUNDED[one.name], one.name
            assert spearmanr(offline, model)[0] > ROUNDED[one.name], one.name
            assert not torch.equal(online, model), one.name


def test_what_has_nothing_to_round_is_not_timed_as_int8(
    make_model: MakeModel, node_features: NodeFeatures, heavy_graph: CSR
) -> None:
    teacher, student = (make_model(encoder, layers=1, decoder="linear") for encoder in ("sage", "mlp"))
    found = {one.name: one for one in listed(teacher, student, node_features, heavy_graph)}
    assert (found["gnn-int8"].scorer is None) == (node_features.matrix.layout == torch.sparse_csr)
    assert found["student-onnx-int8"].scorer is not None
    assert found["student-cached-int8"].scorer is not None


def test_students_with_a_linear_decoder(
    make_model: MakeModel, node_features: NodeFeatures, heavy_graph: CSR, pairs: Tensor
) -> None:
    student = make_model("mlp", decoder="linear")
    expected = reference(student, node_features, heavy_graph, pairs)
    found = [one for one in listed(make_model("sage"), student, node_features, heavy_graph) if one.scorer is not None]
    students = [one for one in found if one.family.startswith("student")]
    assert len(students) >= 5
    for one in students:
        with torch.inference_mode():
            online, offline = one.scorer.online(pairs), one.scorer.offline(pairs)
        for scores in (online, offline):
            if one.exact:
                assert torch.allclose(scores, expected, rtol=1e-4, atol=1e-5), one.name
            else:
                assert spearmanr(scores, expected)[0] > ROUNDED[one.name], one.name


@pytest.mark.parametrize("size", [1, 2, 33])
def test_requests_of_other_sizes(
    size: int, make_model: MakeModel, node_features: NodeFeatures, heavy_graph: CSR, pairs: Tensor
) -> None:
    for one in listed(make_model("sage"), make_model("mlp"), node_features, heavy_graph):
        if one.scorer is None or "sampled" in one.name:
            continue
        with torch.inference_mode():
            few, all_of_them = one.scorer.online(pairs[:, :size]), one.scorer.online(pairs)
        assert few.shape == (size,), one.name
        assert torch.allclose(few, all_of_them[:size], atol=1e-4 if one.exact else 0.05), one.name


def test_all_are_listed_in_order_with_a_note(
    make_model: MakeModel, node_features: NodeFeatures, heavy_graph: CSR
) -> None:
    found = listed(make_model("sage"), make_model("mlp"), node_features, heavy_graph)
    assert tuple(one.name for one in found) == NAMES
    assert {one.family for one in found} == {
        "GNN",
        "GNN in PyG",
        "accelerated GNN",
        "GNN, cached",
        "student",
        "student, cached",
        "heuristic",
    }
    assert all(one.note for one in found)


def test_without_a_compiler_the_reason_is_given(
    make_model: MakeModel, node_features: NodeFeatures, heavy_graph: CSR
) -> None:
    found = {one.name: one for one in listed(make_model("sage"), make_model("mlp"), node_features, heavy_graph)}
    assert found["student-compiled"].scorer is None
    assert "cannot run here: torch.compile needs a C++ compiler; no-such-compiler" in found["student-compiled"].note


def test_without_openvino_the_reason_is_given(
    make_model: MakeModel, node_features: NodeFeatures, heavy_graph: CSR, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    found = {one.name: one for one in listed(make_model("sage"), make_model("mlp"), node_features, heavy_graph)}
    assert found["student-openvino-int8"].scorer is None
    assert "cannot run here: OpenVINO is not installed: " in found["student-openvino-int8"].note
    assert "pip install 'llp[openvino]'" in found["student-openvino-int8"].note


def test_a_student_whose_values_are_not_finite_cannot_be_rounded(
    make_model: MakeModel, node_features: NodeFeatures, heavy_graph: CSR
) -> None:
    student = make_model("mlp")
    with torch.no_grad():
        student.decoder.out.bias.fill_(float("inf"))
        student.encoder.layers[0].bias.fill_(float("inf"))
    names = ("student-onnx-int8", "student-openvino-int8", "student-cached-int8")
    made = contestants(make_model("sage"), student, node_features, heavy_graph, CPU, 1, lambda changed: None, names)
    for one in made:
        assert one.scorer is None
        assert "cannot run here: the student's values on this graph are not finite" in one.note


def test_a_model_of_one_channel_cannot_be_pruned(
    make_model: MakeModel, node_features: NodeFeatures, heavy_graph: CSR
) -> None:
    found = {
        one.name: one
        for one in listed(make_model("sage", hidden=1), make_model("mlp", hidden=1), node_features, heavy_graph)
    }
    assert found["gnn-pruned"].scorer is None
    assert "no half" in found["gnn-pruned"].note
    assert found["gnn"].scorer is not None


def test_only_those_of_the_names_are_made(make_model: MakeModel, node_features: NodeFeatures, heavy_graph: CSR) -> None:
    tuned: list[LinkModel] = []

    def names(*wanted: str) -> list[str]:
        teacher, student = make_model("sage"), make_model("mlp")
        made = contestants(teacher, student, node_features, heavy_graph, CPU, 1, tuned.append, wanted)
        return [one.name for one in made]

    assert names("student", "gnn") == ["gnn", "student"]
    assert not tuned
    assert names("gnn-pruned") == ["gnn-pruned"]
    assert [model.spec.hidden for model in tuned] == [16]


@pytest.mark.parametrize(
    ("most", "why"), [(200 * 24 * 4 - 1, "dense features, 200 x 24 values"), (200 * 24 * 4, "a row for each edge, ")]
)
def test_pyg_takes_a_bounded_amount_of_memory(
    most: int,
    why: str,
    make_model: MakeModel,
    node_features: NodeFeatures,
    heavy_graph: CSR,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("llp_core.contestants.pyg.MOST_BYTES", most)
    found = {one.name: one for one in listed(make_model("sage"), make_model("mlp"), node_features, heavy_graph)}
    assert found["gnn-pyg"].scorer is None
    assert f"cannot run here: its layers need {why}" in found["gnn-pyg"].note


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_those_of_the_cpu_are_listed_with_the_reason(
    make_model: MakeModel, heavy_graph: CSR, pairs: Tensor
) -> None:
    gpu = torch.device("cuda")
    features = NodeFeatures.of(torch.randn(200, 24), gpu)
    teacher, student = make_model("sage").to(gpu), make_model("mlp").to(gpu)
    found = list(contestants(teacher, student, features, heavy_graph.to(gpu), gpu, 1, tune=lambda changed: None))
    unable = {one.name for one in found if one.scorer is None}
    assert unable >= {
        *("gnn-int8", "student-onnx", "student-onnx-int8", "student-openvino-int8", "student-cached-int8")
    }
    assert unable.isdisjoint(
        {"gnn", "gnn-pyg", "gnn-pruned", "student-compiled", "student-cuda-graph", "student-cached"}
    )
    with torch.inference_mode():
        for one in found:
            if one.scorer is not None and one.exact:
                offline = one.scorer.offline(pairs.to(gpu))
                answers = [one.scorer.online(pairs[:, :size].to(gpu)) for size in (1, 3, 4, 2, pairs.shape[1])]
                for online in answers:
                    torch.testing.assert_close(online, offline[: len(online)], rtol=1e-3, atol=1e-3)


def test_who_lists_them_loads_no_runtime() -> None:
    loaded = "[name for name in sys.modules if name.startswith(('onnx', 'openvino'))]"
    code = f"import sys, llp_core.stages.measuring; print({loaded})"
    found = subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "[]"
