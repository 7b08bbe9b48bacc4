"""Fixtures that several rooms use."""

from pathlib import Path

import pytest
import torch
from candidate_project import copied
from hypothesis import settings

from llp_core.config import Params, TunedParams, load_params
from llp_core.types import Graph

ROOT = Path(__file__).parents[1]

# The same examples on every run, and no deadline: machines that run the tests differ in speed.
settings.register_profile("llp", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("llp")


@pytest.fixture(scope="session")
def params() -> Params:
    """The settings in params.yaml as committed, with nothing tuned, whatever a search has found meanwhile."""
    return load_params(ROOT / "params.yaml").model_copy(update={"tuned": TunedParams.nothing()})


@pytest.fixture
def project(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a project whose pipeline has run, which is the current folder. Other rooms have one of their own."""
    root = copied(tmp_path_factory, tmp_path / "project")
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def graph() -> Graph:
    """Two triangles, 0-1-2 and 3-4-5, joined by 2-3; each node has a feature of its own and one of its triangle."""
    features = torch.zeros(6, 8)
    features[torch.arange(6), torch.arange(6)] = 1.0
    features[:3, 6] = 1.0
    features[3:, 7] = 1.0
    return Graph(
        name="triangles",
        node_ids=("a", "b", "c", "d", "e", "f"),
        features=features.to_sparse_csr(),
        edges=torch.tensor([[0, 0, 1, 2, 3, 3, 4], [1, 2, 2, 3, 4, 5, 5]]),
    )
