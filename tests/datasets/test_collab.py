"""A small made graph in OGB's raw layout, read by OGB's own class. No copy of the real one is at hand."""

import gzip
import zipfile

import numpy as np
import pytest
import torch

from llp_core.datasets import get_dataset
from llp_core.datasets.collab import RAW_FILES
from llp_core.errors import InputError

COLLAB = get_dataset("collab")

# Authors 0-1 wrote together in 2005 (2 papers) and in 2003 (1), 1-2 in 2010; held out are 2-3 (2018) and 0-3 (2019).
EDGES = {
    "train": ([[1, 0], [0, 1], [1, 2]], [2, 1, 1], [2005, 2003, 2010]),
    "valid": ([[2, 3]], [4], [2018]),
    "test": ([[3, 0]], [5], [2019]),
}


def write_lines(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt") as file:
        file.writelines(",".join(map(str, np.atleast_1d(row))) + "\n" for row in rows)


def write_split(path, edges, weight, year):
    values = {"edge": np.array(edges), "weight": np.array(weight), "year": np.array(year)}
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.stem != "train":
        values["edge_neg"] = np.array([[0, 2]])
    torch.save(values, path)


@pytest.fixture
def mirror(tmp_path):
    root = tmp_path / "mirror" / "collab" / "ogbl_collab"
    raw = root / "raw"
    edges, weight, year = EDGES["train"]
    write_lines(raw / "edge.csv.gz", edges)
    write_lines(raw / "edge_weight.csv.gz", weight)
    write_lines(raw / "edge_year.csv.gz", year)
    write_lines(raw / "node-feat.csv.gz", [[0.5, 1.0], [0.25, -1.0], [0.0, 2.0], [1.5, 0.0]])
    write_lines(raw / "num-node-list.csv.gz", [4])
    write_lines(raw / "num-edge-list.csv.gz", [3])
    for part, columns in EDGES.items():
        write_split(root / "split" / "time" / f"{part}.pt", *columns)
    (root / "RELEASE_v1.txt").touch()
    return tmp_path / "mirror"


def load(mirror, raw, data_params):
    COLLAB.download(raw, data_params(mirror=mirror))
    return COLLAB.load(raw, data_params())


def test_edges_of_all_parts_with_weight_and_earliest_year(mirror, raw, data_params, capsys):
    graph, dropped, _ = load(mirror, raw, data_params)
    assert graph.edges.tolist() == [[0, 0, 1, 2], [1, 3, 2, 3]]
    assert graph.edge_weight.tolist() == [3.0, 5.0, 1.0, 4.0]
    assert graph.edge_time.tolist() == [2003, 2019, 2010, 2018]
    assert graph.features.tolist() == [[0.5, 1.0], [0.25, -1.0], [0.0, 2.0], [1.5, 0.0]]
    assert graph.features.layout == torch.strided
    assert dropped == {"self loops": 0, "duplicate edges": 1}
    assert capsys.readouterr().out == "", "stdout is for the pipeline"
    assert sorted(str(path.relative_to(raw)) for path in raw.rglob("*") if path.is_file()) == sorted(RAW_FILES)


def test_files_that_an_older_numpy_wrote_are_read(mirror, raw, data_params):
    """As OGB's are: numpy called its inner module `numpy.core` then."""
    path = mirror / "collab" / "ogbl_collab" / "split" / "time" / "valid.pt"
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    assert any(b"numpy._core.multiarray" in content for content in entries.values())
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    assert load(mirror, raw, data_params)[0].num_edges == 4


def test_a_class_that_ogb_does_not_use_stays_refused(mirror, raw, data_params):
    path = mirror / "collab" / "ogbl_collab" / "split" / "time" / "test.pt"
    torch.save({"edge": mirror}, path)
    with pytest.raises(InputError, match=r"the raw files of collab are not readable \(UnpicklingError: Weights only"):
        load(mirror, raw, data_params)


@pytest.mark.parametrize("file", RAW_FILES)
def test_each_missing_file_is_named(mirror, raw, data_params, file):
    (mirror / "collab" / file).unlink()
    with pytest.raises(InputError, match=f"{file}: not found .1 of {len(RAW_FILES)} files missing."):
        COLLAB.download(raw, data_params(mirror=mirror))


def test_missing_raw_files_are_an_error_and_no_question(raw, data_params):
    with pytest.raises(InputError, match=r"RELEASE_v1.txt: not found .* Run the stage download again"):
        COLLAB.load(raw, data_params())
