import re

import pandas as pd
import pytest
import torch

from llp_core.datasets import get_dataset
from llp_core.datasets.files import read_nodes, types_of
from llp_core.datasets.tables import read_table
from llp_core.errors import InputError

NODES = "id,size,colour\n007,1,red\nb,2,blue\nc,3,red\n"
EDGES = "source,target\n007,b\nb,c\n"
FILES = get_dataset("files")


@pytest.fixture
def load(tmp_path, raw, data_params):
    """Writes the two files (None leaves one out), and runs both functions on them."""

    def run(nodes=NODES, edges=EDGES, suffix=".csv", **settings):
        paths = {name: tmp_path / f"{name}{suffix}" for name in ("nodes", "edges")}
        for name, content in (("nodes", nodes), ("edges", edges)):
            if content is not None:
                paths[name].write_bytes(content.encode() if isinstance(content, str) else content)
        settings = {"columns": {"colour": "category"}, **settings}
        params = data_params(nodes=str(paths["nodes"]), edges=str(paths["edges"]), **settings)
        FILES.download(raw, params)
        return FILES.load(raw, params)

    return run


def test_a_graph_of_two_csv_files(load):
    graph, dropped, _ = load()
    assert graph.node_ids == ("007", "b", "c")
    assert graph.edges.tolist() == [[0, 1], [1, 2]]
    assert graph.features.layout == torch.sparse_csr
    expected = torch.tensor([[-1.22474, 0, 1], [0, 1, 0], [1.22474, 0, 1]])
    torch.testing.assert_close(graph.features.to_dense(), expected)
    assert graph.edge_weight is None
    assert graph.edge_time is None
    assert dropped == {
        "self loops": 0,
        "duplicate edges": 0,
        "constant columns": 0,
        "words beyond max_words": 0,
        "numbers far from all others": 0,
    }


def test_weights_add_up_and_the_earliest_time_stays(load):
    edges = "source,target,w,year\nb,007,0.5,2003\n007,b,1,2001\nc,c,9,1990\nc,b,2,2002\n"
    graph, dropped, _ = load(edges=edges, weight="w", time="year")
    assert graph.edges.tolist() == [[0, 1], [1, 2]]
    assert graph.edge_weight.tolist() == [1.5, 2.0]
    assert graph.edge_time.tolist() == [2001, 2002]
    assert (dropped["self loops"], dropped["duplicate edges"]) == (1, 1)


def test_types_of_nodes(load):
    nodes = NODES.replace("colour", "kind").replace("red", "user").replace("blue", "item")
    graph, *_ = load(nodes=nodes, node_type="kind", columns={"kind": "category"})
    assert graph.node_type.tolist() == [1, 0, 1]
    assert graph.type_names == ("item", "user")
    assert graph.features.to_dense()[:, 1:].tolist() == [[0, 1], [1, 0], [0, 1]], "the type is a feature too"


def test_a_column_of_ids_is_none_of_types(load):
    rows = "".join(f"{number},{number % 7},t{number}\n" for number in range(101))
    message = r"nodes.csv, column 'colour': expected at most 100 types of nodes, .*, found 101 different values"
    with pytest.raises(InputError, match=message):
        load(nodes="id,size,colour\n" + rows, edges="source,target\n0,1\n", node_type="colour")


def test_types_of_other_nodes_are_those_of_the_graph(tmp_path, data_params):
    path = tmp_path / "new.csv"
    path.write_text("id,kind\na,user\nb,item\n")
    table, files = read_table(path, "new.csv"), data_params(node_type="kind").files
    assert types_of(table, ("item", "user"), files).tolist() == [1, 0]
    assert types_of(table, ("item", "shop"), files).tolist() == [-1, 0]
    assert types_of(table, ("item", "user"), data_params(node_type="sort").files).tolist() == [-1, -1]
    assert types_of(table, ("item", "user"), data_params().files).tolist() == [-1, -1]
    assert types_of(table, (), files).tolist() == [-1, -1], "of a graph without types"


def test_a_graph_of_numbers_is_dense_and_of_two_parquet_files(tmp_path, raw, data_params):
    pd.DataFrame({"node": [10, 2, 30], "x": [1.0, 2.0, 3.0]}).to_parquet(tmp_path / "n.parquet")
    pd.DataFrame({"from": [10, 30], "to": [2, 2]}).to_parquet(tmp_path / "e.parquet")
    params = data_params(
        nodes=str(tmp_path / "n.parquet"), edges=str(tmp_path / "e.parquet"), id="node", source="from", target="to"
    )
    FILES.download(raw, params)
    graph, *_ = FILES.load(raw, params)
    assert sorted(path.name for path in raw.iterdir()) == ["edges.parquet", "nodes.parquet"]
    assert graph.node_ids == ("10", "2", "30")
    assert graph.edges.tolist() == [[0, 1], [1, 2]]
    assert graph.features.layout == torch.strided


@pytest.mark.parametrize(
    ("files", "settings", "message"),
    [
        ({"nodes": None}, {}, r"nodes.csv: no such file"),
        ({"edges": None}, {}, r"edges.csv: no such file"),
        ({"suffix": ".txt"}, {}, r"nodes.txt: expected a file that ends in .csv or .parquet"),
        ({"suffix": ".parquet"}, {}, r"nodes.parquet: expected a Parquet file"),
        ({"nodes": ""}, {}, "nodes.csv: expected a header line"),
        ({"nodes": "id,size,colour\n"}, {}, "nodes.csv: expected at least one row"),
        ({"edges": "source,target\n"}, {}, "edges.csv: expected at least one row"),
        ({"nodes": "id,size,colour\na,1,red\n"}, {}, "nodes.csv, column 'id', line 2: expected at least two nodes"),
        ({}, {"id": "name"}, r"nodes.csv, line 1: expected a column 'name' \(data.files.id\), found 'id', 'size'"),
        ({}, {"source": "from"}, r"edges.csv, line 1: expected a column 'from' \(data.files.source\)"),
        ({}, {"target": "to"}, r"edges.csv, line 1: expected a column 'to' \(data.files.target\)"),
        ({}, {"weight": "w"}, r"edges.csv, line 1: expected a column 'w' \(data.files.weight\)"),
        ({}, {"node_type": "kind"}, r"nodes.csv, line 1: expected a column 'kind' \(data.files.node_type\)"),
        (
            {"nodes": NODES + "d,4,\n"},
            {"node_type": "colour"},
            "column 'colour', line 5: expected a value, found nothing",
        ),
        ({}, {"time": "year"}, r"edges.csv, line 1: expected a column 'year' \(data.files.time\)"),
        ({}, {"columns": {"id": "text"}}, "data.files.columns.id: the column of ids is no feature. Leave it out."),
        ({}, {"columns": {"hue": "text"}}, r"nodes.csv, line 1: expected a column 'hue' \(data.files.columns\)"),
        ({"nodes": NODES + "b,4,red\n"}, {}, "'id', line 5: expected every id once, found 'b', which is on line 3"),
        ({"nodes": NODES + ",4,red\n"}, {}, "nodes.csv, column 'id', line 5: expected a value, found nothing"),
        ({"nodes": NODES + "d,NaN,red\n"}, {}, "nodes.csv, column 'size', line 5: .* number, found 'NaN'"),
        ({"nodes": NODES + "d,inf,red\n"}, {}, "nodes.csv, column 'size', line 5: .* number, found 'inf'"),
        ({"nodes": NODES + "d,tall,red\n"}, {}, "nodes.csv, column 'size', line 5: .* number, found 'tall'"),
        ({"edges": EDGES + "b,z\n"}, {}, "edges.csv, column 'target', line 4: expected an id of .*, found 'z'"),
        ({"edges": EDGES + "7,b\n"}, {}, "edges.csv, column 'source', line 4: expected an id of .*, found '7'"),
        ({"edges": EDGES + ",b\n"}, {}, "edges.csv, column 'source', line 4: expected a value, found nothing"),
        ({"edges": "source,target,w\nb,c,x\n"}, {"weight": "w"}, "edges.csv, column 'w', line 2: expected a finite"),
        ({"edges": "source,target,y\nb,c,1.5\n"}, {"time": "y"}, "edges.csv, column 'y', line 2: expected a whole"),
        ({"nodes": NODES.encode() + b"\xe9,4,red\n"}, {}, "nodes.csv, line 5: expected UTF-8"),
    ],
)
def test_bad_input_is_an_error_of_one_paragraph(load, files, settings, message):
    with pytest.raises(InputError, match=message) as caught:
        load(**files, **settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("column", "file"), [("id", "nodes"), ("source", "edges"), ("target", "edges")])
def test_ids_with_a_gap_are_told_what_to_do(tmp_path, raw, data_params, column, file):
    tables = {"nodes": {"id": [1, 2, 3], "x": [1, 2, 3]}, "edges": {"source": [1, 2], "target": [2, 3]}}
    tables[file][column] = [*tables[file][column][:-1], None]
    paths = {name: str(tmp_path / f"{name}.parquet") for name in tables}
    for name, columns in tables.items():
        pd.DataFrame(columns).to_parquet(paths[name])
    FILES.download(raw, data_params(**paths))
    message = f"column '{column}': expected text or integers, found type double. Convert it; .* leave out its row"
    with pytest.raises(InputError, match=message) as caught:
        FILES.load(raw, data_params(**paths))
    assert "data.files.columns" not in str(caught.value)


def test_the_error_names_the_file_its_owner_knows(load, tmp_path):
    with pytest.raises(InputError, match=f"^{re.escape(str(tmp_path / 'edges.csv'))}, column 'target'"):
        load(edges=EDGES + "b,z\n")


def test_the_example_in_the_tree_is_large_enough_for_the_pipeline(project_root, raw, data_params):
    FILES.download(raw, data_params())
    graph, dropped, _ = FILES.load(raw, data_params())
    assert (graph.num_nodes, graph.num_edges) == (400, 1075)
    assert graph.features.layout == torch.sparse_csr
    assert set(dropped.values()) == {0}


def test_the_encoder_is_what_the_graph_was_encoded_by(raw, data_params):
    FILES.download(raw, data_params())
    graph, _, encoder = FILES.load(raw, data_params())
    assert encoder.apply(read_nodes(raw, data_params().files)).to_dense().equal(graph.features.to_dense())
