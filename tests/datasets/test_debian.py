import hashlib
import json
import shutil
import subprocess

import pandas as pd
import pytest
import torch

from llp_core import store
from llp_core.datasets import debian, get_dataset
from llp_core.errors import InputError

DEBIAN = get_dataset("debian")


def stanza(name, depends="", section="python", description="tool"):
    return f"Package: {name}\nSection: {section}\nDepends: {depends}\nDescription: {description}\n\n"


def index(*stanzas):
    return "".join(stanzas).splitlines(keepends=True)


# a - b - c form a path (b and c name each other, a names b twice); d has no edge; e is of another section.
SMALL = index(
    stanza("c", "b | e, nowhere"),
    stanza("a", "b (>= 1), b (<< 2), a"),
    stanza("b", "c"),
    stanza("d", "e"),
    stanza("e", "a", section="games"),
)


@pytest.fixture
def no_hubs(monkeypatch):
    """In a graph this small every node has edges to more than 2 % of all."""
    monkeypatch.setattr(debian, "HUB_SHARE", 1.0)


@pytest.fixture(autouse=True)
def _build_date(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")


def test_the_graph_of_a_small_index(tmp_path, no_hubs):
    summary = debian.build(SMALL, "python", tmp_path / "debian")
    nodes, edges, features, vocabulary = debian.read_build(tmp_path / "debian")
    assert nodes["package"].tolist() == ["a", "b", "c"]
    assert edges.tolist() == [[0, 1], [1, 2]]
    # "word:tool" is all that two packages share: names and sources are their own, of one letter, or of one package.
    assert vocabulary.to_dict("list") == {"feature": ["word:tool"], "packages": [3]}
    assert features.layout == torch.sparse_csr
    assert features.to_dense().tolist() == [[1.0], [1.0], [1.0]]
    assert summary == debian.Summary(
        section="python",
        date="1970-01-02",
        index_sha256=hashlib.sha256("".join(SMALL).encode()).hexdigest(),
        nodes=3,
        edges=2,
        features=1,
        nonzeros=3,
        packages=4,
        hubs=0,
        isolated=1,
    )


def test_features_are_tf_idf_with_rows_of_length_1(tmp_path, no_hubs):
    # Rows with red 2, fox 2, cat 1 of 2: cat is no feature; red and fox weigh the same.
    lines = index(stanza("a", "b", description="red fox"), stanza("b", description="red fox fox cat"))
    debian.build(lines, "python", tmp_path / "debian")
    _, _, features, vocabulary = debian.read_build(tmp_path / "debian")
    assert vocabulary["feature"].tolist() == ["word:fox", "word:red"]
    expected = torch.tensor([[1, 1], [2, 1]]) / torch.tensor([[2.0], [5.0]]).sqrt()
    torch.testing.assert_close(features.to_dense(), expected)


def test_hubs_go_and_then_what_is_left_without_an_edge(tmp_path, monkeypatch):
    # Of 5 packages "hub" has edges to 4, more than half; with it the only edge of "x" and of "y" goes.
    monkeypatch.setattr(debian, "HUB_SHARE", 0.5)
    lines = index(stanza("hub"), stanza("x", "hub"), stanza("y", "hub"), stanza("p", "hub, q"), stanza("q", "hub"))
    summary = debian.build(lines, "python", tmp_path / "debian")
    assert debian.read_build(tmp_path / "debian").nodes["package"].tolist() == ["p", "q"]
    assert (summary.packages, summary.hubs, summary.isolated, summary.nodes) == (5, 1, 2, 2)


def test_a_package_at_the_limit_is_no_hub(tmp_path, monkeypatch):
    monkeypatch.setattr(debian, "HUB_SHARE", 0.5)
    lines = index(stanza("hub"), stanza("x", "hub"), stanza("y", "hub, x"), stanza("z", "hub"))
    assert debian.build([*lines, *index(stanza("u"))], "*", tmp_path / "all").hubs == 1, "3 of 5 is above half"
    assert debian.build([*lines, *index(stanza("u"), stanza("v"))], "*", tmp_path / "all").hubs == 0, "3 of 6 is not"


def test_the_same_index_gives_the_same_bytes_in_any_order(tmp_path, no_hubs):
    debian.build(SMALL, "*", tmp_path / "one")
    turned = index(*(f"{text.strip()}\n\n" for text in "".join(SMALL).split("\n\n")[::-1] if text.strip()))
    debian.build(turned, "*", tmp_path / "two")
    assert turned != SMALL
    for file in (*debian.FILES, "made.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes(), file


def test_a_build_replaces_an_earlier_one_and_nothing_else(tmp_path, no_hubs):
    debian.build(SMALL, "python", tmp_path / "debian")
    assert debian.build(SMALL, "*", tmp_path / "debian").nodes == 5
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "thesis.tex").touch()
    (tmp_path / "own" / "manifest.json").write_text("{}")  # as a version of the models has one
    with pytest.raises(InputError, match="own: it exists and is no earlier output of `llp dataset debian`"):
        debian.build(SMALL, "*", tmp_path / "own")
    assert (tmp_path / "own" / "thesis.tex").exists()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (index(stanza("a"), stanza("b")), "section 'python': its 2 packages do not depend on each other: no edge"),
        (index(stanza("aa", "bb", description="one"), stanza("bb", description="two")), "share no word"),
    ],
)
def test_an_index_without_a_graph_leaves_nothing(tmp_path, no_hubs, lines, message):
    with pytest.raises(InputError, match=message):
        debian.build(lines, "python", tmp_path / "debian")
    assert list(tmp_path.iterdir()) == []


def test_a_section_of_hubs_alone_is_told_from_one_without_edges(tmp_path):
    with pytest.raises(
        InputError, match=r"no edge is left among its 4 packages, since 3 of them .* more than 2 % of all"
    ):
        debian.build(SMALL, "python", tmp_path / "debian")


def test_a_date_that_is_none_is_refused(tmp_path, no_hubs, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(InputError, match="SOURCE_DATE_EPOCH: expected seconds since 1970, got 'yesterday'"):
        debian.build(SMALL, "python", tmp_path / "debian")


def test_without_the_variable_the_date_is_todays(tmp_path, no_hubs, monkeypatch):
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    assert debian.build(SMALL, "python", tmp_path / "debian").date > "2024"


def test_the_snapshot_in_the_tree(project_root, raw, data_params):
    DEBIAN.download(raw, data_params())
    graph, dropped, _ = DEBIAN.load(raw, data_params())
    assert (graph.num_nodes, graph.num_edges, graph.features.shape[1]) == (3552, 9068, 2976)
    assert (DEBIAN.nodes, DEBIAN.edges, DEBIAN.features) == (3552, 9068, 2976)
    assert graph.features.layout == torch.sparse_csr
    assert (graph.features.crow_indices().diff() > 0).all(), "every node has a feature"
    assert dropped == {"hub packages": 24, "isolated packages": 970}


def test_the_snapshot_holds_words_and_figures_only_and_is_small(project_root):
    folder = project_root / "data/embedded/debian"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 2_000_000
    features = pd.read_parquet(folder / "vocabulary.parquet")["feature"]
    assert not features.str.contains("@").any()
    assert not features.str.contains(r"\s").any()
    manifest = json.loads((folder / "manifest.json").read_text())
    assert set(manifest["sha256"]) == set(debian.FILES)
    assert manifest["section"] == "python"


def test_the_snapshot_comes_from_this_builder(project_root, tmp_path, monkeypatch):
    """Only a machine whose package lists are those of the snapshot can tell."""
    if shutil.which("apt-cache") is None:
        pytest.skip("no apt-cache on this machine")
    snapshot = store.read_json(project_root / "data/embedded/debian/manifest.json")
    available = subprocess.run(["apt-cache", "dumpavail"], capture_output=True, check=True).stdout
    if hashlib.sha256(available).hexdigest() != snapshot["index_sha256"]:
        pytest.skip("this machine's package lists are not those of the snapshot")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(int(pd.Timestamp(snapshot["date"]).timestamp())))
    debian.build(None, "python", tmp_path / "debian")
    for file in (*debian.FILES, debian.MANIFEST):
        assert (tmp_path / "debian" / file).read_bytes() == (project_root / "data/embedded/debian" / file).read_bytes()


def test_a_build_in_the_mirror_takes_the_place_of_the_snapshot(project_root, tmp_path, raw, data_params, no_hubs):
    debian.build(SMALL, "*", tmp_path / "mirror" / "debian")
    params = data_params(mirror=tmp_path / "mirror")
    DEBIAN.download(raw, params)
    assert DEBIAN.load(raw, params)[0].node_ids == ("a", "b", "c", "d", "e")


def test_a_mirror_without_a_build_leaves_the_snapshot(project_root, tmp_path, raw, data_params):
    DEBIAN.download(raw, data_params(mirror=tmp_path))
    assert sorted(path.name for path in raw.iterdir()) == sorted([*debian.FILES, debian.MANIFEST])


def test_a_changed_file_is_refused(tmp_path, raw, data_params, no_hubs):
    build = tmp_path / "mirror" / "debian"
    debian.build(SMALL, "*", build)
    with (build / "edges.parquet").open("ab") as file:
        file.write(b"x")
    with pytest.raises(InputError, match=r"edges.parquet: expected SHA-256 \w+ as in manifest.json, found \w+"):
        DEBIAN.download(raw, data_params(mirror=tmp_path / "mirror"))
    (build / "edges.parquet").unlink()
    with pytest.raises(InputError, match=r"edges.parquet: .* found no file"):
        DEBIAN.download(raw, data_params(mirror=tmp_path / "mirror"))
    assert list(raw.iterdir()) == []


@pytest.mark.parametrize("manifest", [{}, [], {"sha256": dict.fromkeys(debian.FILES, "")}])
def test_what_is_no_manifest_is_refused(manifest, tmp_path, raw, data_params):
    store.write_json(tmp_path / "debian" / debian.MANIFEST, manifest)
    with pytest.raises(InputError, match=r"manifest.json: it is no manifest of a build. Restore it"):
        DEBIAN.download(raw, data_params(mirror=tmp_path))


def test_outside_the_project_the_snapshot_is_not_found(tmp_path, monkeypatch, raw, data_params):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"manifest.json: not found. Run llp in the project's folder"):
        DEBIAN.download(raw, data_params())
    with pytest.raises(InputError, match=r"raw/manifest.json: not found"):
        DEBIAN.load(raw, data_params())
