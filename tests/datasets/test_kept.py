"""Graphs that are kept, from a data set that counts how often it is asked for its files."""

import dataclasses

import pytest
import torch

from llp_core.datasets import get_dataset, kept
from llp_core.datasets.base import Loaded
from llp_core.datasets.kept import kept_graph
from llp_core.types import Graph


@pytest.fixture
def brought(monkeypatch):
    """The mirrors that a data set was brought from, in order; it has two nodes and an edge."""
    mirrors = []
    graph = Graph("cora", ("a", "b"), torch.ones(2, 1), torch.tensor([[0], [1]]))
    source = dataclasses.replace(
        get_dataset("cora"),
        download=lambda folder, params: mirrors.append(params.mirror_folder()),
        load=lambda folder, params: Loaded(graph, {}),
    )
    monkeypatch.setattr(kept, "get_dataset", lambda name: source)
    return mirrors


def test_a_graph_is_brought_once_from_each_mirror(tmp_path, monkeypatch, data_params, brought):
    params = data_params().model_copy(update={"name": "cora"})
    one, other = tmp_path / "one", tmp_path / "other"
    for mirror in (None, None, one, one, other):
        monkeypatch.setenv("LLP_DATA_MIRROR", str(mirror or ""))
        assert kept_graph(params, tmp_path / "graph").node_ids == ("a", "b")
    assert brought == [None, one, other]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["graph", "graph.lock"]


def test_settings_of_ones_own_files_do_not_concern_it(tmp_path, data_params, brought):
    params = data_params().model_copy(update={"name": "cora"})
    kept_graph(params, tmp_path / "graph")
    other = params.files.model_copy(update={"nodes": "mine.csv"})
    kept_graph(params.model_copy(update={"files": other}), tmp_path / "graph")
    assert len(brought) == 1


def test_files_at_hand_are_read_again(tmp_path, monkeypatch, data_params, brought):
    monkeypatch.delenv("LLP_DATA_MIRROR", raising=False)
    params = data_params().model_copy(update={"name": "debian"})
    kept_graph(params, tmp_path / "graph")
    kept_graph(params, tmp_path / "graph")
    assert brought == [None, None]
