import json

import pytest
import torch

from llp_core.config import load_params
from llp_core.datasets import get_dataset
from llp_core.datasets.shapes import Shape, shape_graph, write_shape
from llp_core.errors import InputError
from llp_core.graph import canonical_edges, degrees
from llp_core.metrics import area_under_curve
from llp_core.paths import PARAMS
from llp_core.sampling import generator
from llp_core.types import Graph

NODES, EDGES, FEATURES = 20_000, 80_000, 128


def draw(seed: int = 0) -> Graph:
    return shape_graph("made", NODES, EDGES, FEATURES, generator(seed, "test"))


@pytest.fixture(scope="module")
def graph() -> Graph:
    return draw()


def test_it_has_the_sizes_asked_for(graph):
    assert (graph.num_nodes, graph.num_edges) == (NODES, EDGES)
    assert graph.features.shape == (NODES, FEATURES)
    assert graph.node_ids[7] == "7"


def test_edges_are_canonical(graph):
    canonical = canonical_edges(graph.edges, NODES)
    assert torch.equal(canonical.edges, graph.edges)
    assert canonical.dropped.self_loops == canonical.dropped.duplicates == 0


def test_the_same_seed_gives_the_same_graph_and_another_seed_another(graph):
    again, other = draw(), draw(seed=1)
    assert torch.equal(again.edges, graph.edges)
    assert torch.equal(again.features, graph.features)
    assert not torch.equal(other.edges, graph.edges)


def test_degrees_have_a_heavy_tail_and_hardly_any_node_is_alone(graph):
    degree = degrees(graph.edges, NODES)
    assert (degree == 0).double().mean() < 0.02
    # Of a Poisson distribution with this mean, 8, the largest of 20,000 would be some 24.
    assert degree.max() > 100


def test_numbers_of_nodes_tell_neither_community_nor_degree(graph):
    degree = degrees(graph.edges, NODES).double()
    near = (graph.edges[0] - graph.edges[1]).abs() < NODES // 100
    assert near.double().mean() < 0.03  # 2 % by chance
    assert abs(degree[: NODES // 2].mean() - degree[NODES // 2 :].mean()) < 1


def test_features_tell_edges_from_other_pairs_though_not_all(graph):
    assert graph.features.std().item() == pytest.approx(1, abs=0.02)
    others = torch.randint(NODES, (2, EDGES), generator=generator(0, "others"))
    likeness = [(graph.features[pairs[0]] * graph.features[pairs[1]]).sum(1) for pairs in (graph.edges, others)]
    assert 0.65 < area_under_curve(*likeness) < 0.95


def test_more_edges_than_a_piece_are_drawn_in_pieces(graph, monkeypatch):
    monkeypatch.setattr("llp_core.datasets.shapes._PIECE", 1_000)
    pieced = draw()
    assert pieced.num_edges == EDGES
    assert pieced.features.std().item() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    ("nodes", "edges", "features", "message"),
    [
        (0, 10, 4, "expected sizes above 0, got 0 nodes"),
        (100, 0, 4, "got 100 nodes, 0 edges"),
        (100, 200, 0, "edges, 0 features"),
        (100, 4_000, 4, "4000 edges are too many among 100 nodes: a community would have 960"),
    ],
)
def test_sizes_that_cannot_be(nodes, edges, features, message):
    with pytest.raises(ValueError, match=message):
        shape_graph("made", nodes, edges, features, generator(0))


class TestDataset:
    params = load_params(PARAMS).data

    def test_what_download_writes_is_what_the_list_shows(self, tmp_path):
        dataset = get_dataset("collab-shape")
        dataset.download(tmp_path, self.params)
        asked = json.loads((tmp_path / "shape.json").read_text())
        assert asked == {"num_nodes": 235_868, "num_edges": 967_632, "num_features": 128}
        assert (dataset.nodes, dataset.edges, dataset.features) == tuple(asked.values())

    def test_load_draws_what_the_folder_asks_for(self, tmp_path):
        write_shape(tmp_path, Shape(500, 1_000, 8))
        graph, dropped, _ = get_dataset("collab-shape").load(tmp_path, self.params)
        assert (graph.name, graph.num_nodes, graph.num_edges, dropped) == ("collab-shape", 500, 1_000, {})
        assert torch.equal(graph.edges, get_dataset("collab-shape").load(tmp_path, self.params)[0].edges)

    def test_a_shape_that_cannot_be_drawn(self, tmp_path):
        write_shape(tmp_path, Shape(10, 1_000, 8))
        with pytest.raises(InputError, match=r"shape.json: 1000 edges are too many among 10 nodes.*Run the stage"):
            get_dataset("collab-shape").load(tmp_path, self.params)

    @pytest.mark.parametrize("text", ['{"num_nodes": 5}', "[]", '{"num_nodes":5,"num_edges":true,"num_features":1.5}'])
    def test_a_description_that_is_none(self, tmp_path, text):
        (tmp_path / "shape.json").write_text(text)
        with pytest.raises(InputError, match=r"shape.json: expected whole numbers num_nodes"):
            get_dataset("collab-shape").load(tmp_path, self.params)
