"""The student as an ONNX file: valid, whole in itself, the same scores."""

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from contestant_models import MakeModel
from onnx import TensorProto
from onnx.reference import ReferenceEvaluator
from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as NoKernel

from llp_core.contestants.onnx_student import OnnxStudent
from llp_core.contestants.runtimes import onnx_runtime, openvino
from llp_core.contestants.setup import CannotRun
from llp_core.errors import InputError
from llp_core.graph import CSR, csr
from llp_core.models import NodeFeatures
from llp_core.models.onnx_file import onnx_model, write_onnx
from llp_core.models.rounding import find_rounding
from llp_core.sampling import generator


@pytest.fixture
def dense() -> torch.Tensor:
    return torch.randn(200, 24, generator=generator(5))


@pytest.mark.parametrize("decoder", ["mlp", "linear"])
def test_the_file_scores_as_the_model_does(
    make_model: MakeModel, dense: torch.Tensor, pairs: torch.Tensor, tmp_path: Path, decoder: str
) -> None:
    model = make_model("mlp", decoder=decoder)
    write_onnx(model, tmp_path / "student.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["student.onnx"]
    onnx.checker.check_model(tmp_path / "student.onnx", full_check=True)
    session = onnxruntime.InferenceSession(tmp_path / "student.onnx", providers=["CPUExecutionProvider"])
    (scores,) = session.run(["scores"], {"features": dense[pairs.flatten()].numpy()})
    with torch.inference_mode():
        expected = model.score(model.encode(NodeFeatures.of(dense)), pairs)
    assert np.allclose(scores, expected, atol=1e-5)


@pytest.fixture
def linked() -> CSR:
    """A ring."""
    every = torch.arange(200)
    return csr(torch.stack((every, every.roll(1))), 200)


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_rounded_files_hold_rounded_weights(
    make_model: MakeModel, dense: torch.Tensor, linked: CSR, precision: str, tmp_path: Path
) -> None:
    model = make_model("mlp", hidden=64)
    rounding = find_rounding(model, NodeFeatures(dense), linked)
    write_onnx(model, tmp_path / "float32.onnx")
    write_onnx(model, tmp_path / "rounded.onnx", rounding if precision == "int8" else precision)
    rounded = onnx.load(tmp_path / "rounded.onnx")
    kinds = {constant.data_type for constant in rounded.graph.initializer if len(constant.dims) == 2}
    # in bfloat16 the last product, with a single column, stays as it is
    expected = {"bfloat16": {TensorProto.BFLOAT16, TensorProto.FLOAT}, "int8": {TensorProto.INT8}}[precision]
    assert kinds == expected
    sizes = [(tmp_path / f"{name}.onnx").stat().st_size for name in ("rounded", "float32")]
    assert sizes[0] < 0.6 * sizes[1]


@pytest.mark.parametrize("decoder", ["mlp", "linear"])
@pytest.mark.parametrize("layers", [1, 3])
def test_int8_means_the_same_in_each_runtime(
    make_model: MakeModel, dense: torch.Tensor, pairs: torch.Tensor, linked: CSR, decoder: str, layers: int
) -> None:
    model, features = make_model("mlp", layers, decoder=decoder), NodeFeatures(dense)
    file = onnx_model(model, find_rounding(model, features, linked))
    rows = dense[pairs.flatten()].numpy()
    reference = ReferenceEvaluator(file).run(None, {"features": rows})[0]
    with torch.inference_mode():
        exact = model.score(model.encode(features), pairs)
    assert np.corrcoef(reference, exact)[0, 1] > 0.995
    for load in (onnx_runtime, openvino):
        scores = load(file.SerializeToString(), 1)(features=rows)
        assert np.corrcoef(scores, reference)[0, 1] > 0.999, load.__name__
        float32 = load(onnx_model(model).SerializeToString(), 1)(features=rows)
        assert np.allclose(float32, exact, atol=1e-4), load.__name__  # a runtime may take bfloat16 in its place


@pytest.mark.parametrize("kept", ["weight", "bias", "neither"])
def test_layers_of_zeros_in_int8(make_model: MakeModel, dense: torch.Tensor, linked: CSR, kept: str) -> None:
    model, features = make_model("mlp"), NodeFeatures(dense * 1e-8)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.split(".")[-1] != kept:
                parameter.zero_()
    rows = features.matrix[:20].numpy()
    with torch.inference_mode():
        exact = model.score(model.encode(features), torch.arange(20).view(2, 10))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        file = onnx_model(model, find_rounding(model, features, linked)).SerializeToString()
    for load in (onnx_runtime, openvino):
        assert np.allclose(load(file, 1)(features=rows), exact, atol=1e-2), load.__name__


def test_in_int8_onnx_runtime_multiplies_bytes_alone(
    make_model: MakeModel, dense: torch.Tensor, linked: CSR, tmp_path: Path
) -> None:
    """Whether it does hangs on how the file is written; if not, weights are made float32 again in each request."""
    model = make_model("mlp")
    file = onnx_model(model, find_rounding(model, NodeFeatures(dense), linked), given="bytes")
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "fused.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(file.SerializeToString(), options, providers=["CPUExecutionProvider"])
    found = [node.op_type for node in onnx.load(tmp_path / "fused.onnx").graph.node]
    assert found == ["QGemm"] * 3 + ["Split", "QLinearMul", "QGemm", "QGemm", "Reshape"]


def test_answers_do_not_share_memory(make_model: MakeModel, dense: torch.Tensor) -> None:
    for load in (onnx_runtime, openvino):
        program = load(onnx_model(make_model("mlp")).SerializeToString(), 1)
        first = program(features=dense[:10].numpy())
        kept = first.copy()
        program(features=dense[10:20].numpy())
        assert (first == kept).all(), load.__name__
        assert (program(features=np.asfortranarray(dense[:10].numpy())) == kept).all(), load.__name__


def test_openvino_tells_nobody_that_it_is_loaded() -> None:
    code = """if True:
        import socket, sys
        def refused(*args, **kwargs):
            raise AssertionError("a connection")
        socket.socket.connect = socket.getaddrinfo = refused
        from llp_core.contestants.runtimes import openvino
        try:
            openvino(b"no model", 1)
        except RuntimeError:
            pass
        print("openvino" in sys.modules, [name for name in sys.modules if name.startswith("openvino_telemetry.")])
    """
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "True []", found.stderr


def test_bfloat16_by_the_reference_of_onnx(make_model: MakeModel, dense: torch.Tensor, pairs: torch.Tensor) -> None:
    """ONNX Runtime may have no kernels for it; the meaning of the file is tested all the same."""
    model, rows = make_model("mlp"), dense[pairs.flatten()].numpy()
    exact, rounded = (
        ReferenceEvaluator(onnx_model(model, precision)).run(None, {"features": rows})[0]
        for precision in ("float32", "bfloat16")
    )
    assert np.corrcoef(exact, rounded)[0, 1] > 0.99
    assert not np.array_equal(exact, rounded)


def test_a_precision_that_onnx_runtime_has_no_kernel_for(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unable(*args: object, **kwargs: object) -> None:
        raise NoKernel("Could not find an implementation for Gemm(13)")

    monkeypatch.setattr(onnxruntime, "InferenceSession", unable)
    with pytest.raises(CannotRun, match=r"ONNX Runtime has no such kernel for this processor: Could not find .* Gemm"):
        onnx_runtime(onnx_model(make_model("mlp"), "bfloat16").SerializeToString(), 1)


def test_a_gnn_is_refused(make_model: MakeModel, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="only a student, an MLP, can be an ONNX file; this is a sage encoder"):
        write_onnx(make_model("sage"), tmp_path / "teacher.onnx")
    assert not list(tmp_path.iterdir())


def test_nodes_are_encoded_a_bounded_number_at_a_time(
    make_model: MakeModel, dense: torch.Tensor, pairs: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model("mlp")
    whole = OnnxStudent(model, NodeFeatures(dense), "float32", onnx_runtime, threads=2)
    monkeypatch.setattr("llp_core.contestants.onnx_student._VALUES_AT_ONCE", 32 * 7)
    for features in (dense, dense.to_sparse_csr()):
        pieces = OnnxStudent(model, NodeFeatures(features), "float32", onnx_runtime, threads=2)
        assert torch.allclose(pieces.online(pairs), whole.online(pairs), atol=1e-5)
        assert torch.allclose(pieces.offline(pairs), whole.offline(pairs), atol=1e-5)
        many = pairs.repeat(1, 3)
        assert torch.allclose(pieces.online(many), whole.online(pairs).repeat(3), atol=1e-5)
