import shutil
import socket
import tracemalloc

import pytest
import torch

from llp_core.datasets import get_dataset
from llp_core.errors import InputError


@pytest.fixture
def load(published, raw, data_params):
    def run(name):
        get_dataset(name).download(raw, data_params(mirror=published))
        before = sorted(raw.rglob("*"))
        loaded = get_dataset(name).load(raw, data_params())
        assert sorted(raw.rglob("*")) == before, "raw files stay as they were downloaded"
        return loaded

    return run


@pytest.mark.parametrize("name", ["cora", "citeseer", "photos", "computers", "cs", "physics"])
def test_counts_are_the_published_ones_and_features_sparse(load, name):
    graph, dropped, _ = load(name)
    expected = get_dataset(name)
    assert (graph.num_nodes, graph.num_edges) == (expected.nodes, expected.edges)
    assert graph.features.shape == (expected.nodes, expected.features)
    assert graph.features.layout == torch.sparse_csr
    # PyG lists every edge in both directions, and has taken out self loops.
    assert dropped == {"self loops": 0, "duplicate edges": expected.edges}


def test_nothing_makes_the_features_dense(load):
    load("photos")  # so that imports do not count
    tracemalloc.start()
    graph, *_ = load("cs")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    dense = graph.features.shape[0] * graph.features.shape[1] * 4
    assert peak < dense / 5


@pytest.mark.parametrize(("name", "family", "key"), [("cora", "Planetoid", "Cora"), ("photos", "Amazon", "Photo")])
def test_the_graph_is_the_one_of_pygs_own_class(load, published, tmp_path, name, family, key):
    import torch_geometric.datasets

    graph, *_ = load(name)
    shutil.copytree(published / family.lower() / key, tmp_path / "pyg" / key)
    data = getattr(torch_geometric.datasets, family)(str(tmp_path / "pyg"), key)[0]
    assert torch.equal(graph.features.to_dense(), data.x)
    one_way = data.edge_index[:, data.edge_index[0] < data.edge_index[1]]
    assert set(map(tuple, graph.edges.T.tolist())) == set(map(tuple, one_way.T.tolist()))


def test_a_missing_file_of_the_mirror_is_named(published, tmp_path, raw, data_params):
    shutil.copytree(published / "planetoid", tmp_path / "mirror" / "planetoid")
    lost = tmp_path / "mirror" / "planetoid" / "Cora" / "raw" / "ind.cora.allx"
    lost.unlink()
    with pytest.raises(InputError, match=rf"^{lost}: not found \(1 of 8 files missing\). The mirror"):
        get_dataset("cora").download(raw, data_params(mirror=tmp_path / "mirror"))
    assert list(raw.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("pubmed", "planetoid/Pubmed/raw/ind.pubmed.x"),
        ("computers", "amazon/Computers/raw/amazon_electronics_computers.npz"),
        ("physics", "coauthor/Physics/raw/ms_academic_phy.npz"),
    ],
)
def test_a_missing_mirror_is_named_and_so_are_missing_raw_files(tmp_path, raw, data_params, name, first):
    with pytest.raises(InputError, match=f"^{tmp_path / 'nowhere' / first}: not found"):
        get_dataset(name).download(raw, data_params(mirror=tmp_path / "nowhere"))
    with pytest.raises(InputError, match=f"^{raw / first.split('/', 1)[1]}: not found .* Run the stage download again"):
        get_dataset(name).load(raw, data_params())


@pytest.mark.parametrize("name", ["pubmed", "cs", "collab"])
def test_without_a_network_a_mirror_is_offered(raw, data_params, monkeypatch, name):
    def no_network(*arguments, **settings):
        raise socket.gaierror("Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    with pytest.raises(InputError, match=rf"^{name}: the download failed .* MIRROR/\w+/.* set data.mirror"):
        get_dataset(name).download(raw, data_params())


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("cs", ["CS/raw/ms_academic_cs.npz"]),
        (
            "cora",
            [f"Cora/raw/ind.cora.{part}" for part in ("allx", "ally", "graph", "test.index", "tx", "ty", "x", "y")],
        ),
    ],
)
def test_raw_files_that_are_not_readable_are_an_error(raw, data_params, name, files):
    for file in files:
        (raw / file).parent.mkdir(parents=True, exist_ok=True)
        (raw / file).write_bytes(b"<html>not found</html>")
    with pytest.raises(InputError, match=f"^{raw}: the raw files of {name} are not readable"):
        get_dataset(name).load(raw, data_params())
