"""The student in PyTorch, compiled too."""

import shutil

import pytest
import torch
from contestant_models import MakeModel

from llp_core.contestants.torch_student import CompiledStudent, TorchStudent, why_not_compiled
from llp_core.models import NodeFeatures
from llp_core.sampling import generator

CPU = torch.device("cpu")


def test_more_ends_than_nodes_are_answered_as_offline(
    make_model: MakeModel, node_features: NodeFeatures, pairs: torch.Tensor
) -> None:
    scorer = TorchStudent(make_model("mlp"), node_features)
    with torch.inference_mode():
        many = scorer.online(pairs.repeat(1, 3))
        assert torch.allclose(many, scorer.online(pairs).repeat(3), atol=1e-5)


def test_a_compiler_and_headers_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert "no-such-compiler was not found" in str(why_not_compiled(CPU))
    monkeypatch.setenv("CXX", "sh")
    monkeypatch.setattr("sysconfig.get_path", lambda _name: "/no/such/folder")
    assert "Python's headers" in str(why_not_compiled(CPU))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a compiler")
def test_compiled_once_for_requests_of_every_size(make_model: MakeModel, pairs: torch.Tensor) -> None:
    counters = torch._dynamo.utils.counters
    model, features = make_model("mlp"), NodeFeatures.of(torch.randn(200, 24, generator=generator(6)))
    eager, compiled = TorchStudent(model, features), CompiledStudent(model, features)
    counters.clear()
    with torch.inference_mode():
        for size in (1, 10, 2, 50, 7):
            found, expected = compiled.online(pairs[:, :size]), eager.online(pairs[:, :size])
            assert torch.allclose(found, expected, atol=1e-5)
        assert counters["stats"]["unique_graphs"] == 1
        assert torch.allclose(compiled.offline(pairs), eager.offline(pairs), atol=1e-5)
