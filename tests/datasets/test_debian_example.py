from llp_core.datasets.debian_example import write_example


def test_the_example_in_the_tree_is_what_is_cut_from_the_snapshot(project_root, tmp_path):
    write_example(tmp_path)
    for file in ("nodes.csv", "edges.csv"):
        assert (tmp_path / file).read_bytes() == (project_root / "data/embedded/example" / file).read_bytes()
