"""Files in, a version out: what they change, and what becomes of those that are not right."""

import errno
import math
import os
import shutil
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from live_project import EDGES, NODES, Project

from llp_core.errors import CheckFailed, InputError
from llp_core.live import Counts, current_version, ingest, versions


def pair(*ends: str) -> frozenset[str]:
    return frozenset(ends)


class TestStart:
    def test_the_first_version_is_the_files(self, new_project: Project) -> None:
        assert current_version(new_project.root) is None
        assert new_project.start() == 1
        assert current_version(new_project.root) == 1
        assert len(new_project.nodes()) == 8
        assert new_project.nodes()["n3"] == ("30", "red")
        assert pair("n7", "n0") in new_project.edges()
        (version,) = versions(new_project.root)
        assert (version.number, version.after, version.nodes, version.edges) == (1, None, 8, 8)
        assert [source.name for source in version.sources] == ["nodes.csv", "edges.csv"]

    def test_the_pipeline_loads_the_same_graph(self, new_project: Project, tmp_path: Path) -> None:
        from llp_core.datasets import get_dataset

        files = get_dataset("files")
        graphs = []
        for name in ("before", "after"):
            (tmp_path / name).mkdir()
            files.download(tmp_path / name, new_project.params.data)
            graphs.append(files.load(tmp_path / name, new_project.params.data)[0])
            new_project.start()
            new_project.configure(
                data__files__nodes="data/live/nodes.parquet", data__files__edges="data/live/edges.parquet"
            )
        assert graphs[0].node_ids == graphs[1].node_ids
        assert graphs[0].edges.equal(graphs[1].edges)
        assert graphs[0].features.to_dense().equal(graphs[1].features.to_dense())

    def test_a_second_start_changes_nothing(self, project: Project) -> None:
        project.ingest(project.write("more.csv", "id,size,colour\nn8,1,red\n"))
        before = project.content()
        assert project.start() == 2
        assert project.content() == before

    def test_a_folder_of_someone_else(self, new_project: Project) -> None:
        path = new_project.write("data/live/nodes.csv", NODES)
        with pytest.raises(InputError, match="data/live: it holds no version of the data that llp made"):
            new_project.start()
        assert path.read_text() == NODES

    def test_a_file_that_is_not_right(self, new_project: Project) -> None:
        new_project.write("edges.csv", EDGES + "n1,nobody\n")
        with pytest.raises(InputError, match=r"edges.csv, column 'target', line 10: expected an id of nodes.csv"):
            new_project.start()
        assert current_version(new_project.root) is None
        assert [path.name for path in (new_project.root / "data").iterdir()] == [".live.lock"]

    def test_a_graph_that_does_not_hold(self, new_project: Project) -> None:
        new_project.configure(validate__min_nodes=9)
        with pytest.raises(CheckFailed, match=r"^nodes\.csv, edges\.csv: 1 of \d+ checks failed:\n- enough_nodes"):
            new_project.start()
        assert [path.name for path in (new_project.root / "data").iterdir()] == [".live.lock"]

    def test_a_column_that_ingest_would_take_for_its_own(self, new_project: Project) -> None:
        new_project.write("edges.csv", "source,target,change\nn0,n1,add\n")
        with pytest.raises(InputError, match="expected no column 'change'"):
            new_project.start()

    @pytest.mark.parametrize(
        "values", [[[1.0, 2.0]] * 8, [{"a": 1}] * 8, [b"\xff\xfe"] * 8], ids=["list", "struct", "bytes"]
    )
    def test_a_column_that_it_cannot_keep(self, new_project: Project, values: list[object]) -> None:
        pd.read_csv("nodes.csv").assign(other=values).to_parquet("n.parquet")
        columns = {"colour": "category", "other": "ignore"}
        new_project.configure(data__files__nodes="n.parquet", data__files__columns=columns)
        with pytest.raises(
            InputError, match=r"^n\.parquet, column 'other': expected numbers or text, found type \w+.* Take"
        ):
            new_project.start()

    def test_ingest_before_it(self, new_project: Project) -> None:
        new_project.drop("more.csv", "id,size,colour\nn8,1,red\n")
        with pytest.raises(InputError, match=r"data/live: not found. `llp data start` makes it"):
            new_project.ingest()
        assert new_project.incoming() == ["more.csv"]


class TestChanges:
    def test_nodes_and_edges_are_added(self, project: Project) -> None:
        project.drop("nodes.csv", "id,size,colour\nn8,5,red\nn9,7,green\n")
        project.drop("edges2.csv", "source,target\nn8,n0\nn8,n9\n")
        report = project.ingest()
        assert (report.before, report.after) == (1, 2)
        assert [(file.name, file.status, file.counts) for file in report.files] == [
            ("edges2.csv", "taken", Counts(edges_added=2)),
            ("nodes.csv", "taken", Counts(nodes_added=2)),
        ]
        assert project.nodes()["n9"] == ("7", "green")
        assert {pair("n8", "n0"), pair("n8", "n9")} < project.edges()
        assert project.incoming() == []
        version = versions(project.root)[-1]
        assert (version.number, version.after, version.nodes, version.edges) == (2, 1, 10, 10)
        assert version.counts == Counts(nodes_added=2, edges_added=2)

    def test_a_node_goes_with_its_edges(self, project: Project) -> None:
        report = project.ingest(project.write("gone.csv", "id,change\nn0,remove\n"))
        assert report.files[0].counts == Counts(nodes_removed=1, edges_removed=2)
        assert "n0" not in project.nodes()
        assert project.edges() == {pair(f"n{i}", f"n{i + 1}") for i in range(1, 7)}

    def test_a_node_gets_other_values(self, project: Project) -> None:
        text = "id,change,colour,size\nn1,add,green,10\nn2,add,blue,20.0\nn3,add,red,31\n"
        report = project.ingest(project.write("values.csv", text))
        assert report.files[0].counts == Counts(nodes_changed=2)
        assert [project.nodes()[name] for name in ("n1", "n2", "n3")] == [
            ("10", "green"),
            ("20", "blue"),
            ("31", "red"),
        ]
        assert list(project.nodes()) == [f"n{i}" for i in range(8)]

    def test_one_file_may_add_change_and_remove(self, project: Project) -> None:
        text = "id,size,colour,change\nn8,1,red,add\nn1,99,red,add\nn0,,,remove\nnobody,,,remove\n"
        report = project.ingest(project.write("mixed.csv", text))
        assert report.files[0].counts == Counts(nodes_added=1, nodes_changed=1, nodes_removed=1, edges_removed=2)

    def test_edges_have_no_direction(self, project: Project) -> None:
        text = "source,target,change\nn1,n0,add\nn0,n4,add\nn4,n0,add\nn5,n5,add\nn3,n2,remove\nn0,n6,remove\n"
        report = project.ingest(project.write("edges2.csv", text))
        assert report.files[0].counts == Counts(edges_added=1, edges_removed=1)
        assert pair("n0", "n4") in project.edges()
        assert pair("n2", "n3") not in project.edges()

    def test_parquet_and_csv_say_the_same(self, project: Project) -> None:
        path = project.root / "more.parquet"
        frame = pd.DataFrame({"id": ["n8", "n1"], "size": [3, 10], "colour": pd.Categorical(["red", "red"])})
        frame.to_parquet(path)
        assert project.ingest(path).files[0].counts == Counts(nodes_added=1)
        assert project.nodes()["n8"] == ("3", "red")
        report = project.ingest(project.write("same.csv", "id,size,colour\nn8,3.0,red\n"))
        assert (report.after, report.files[0].status) == (2, "known already")

    def test_numbers_of_parquet_take_text_and_fractions(self, new_project: Project) -> None:
        pd.DataFrame({"id": range(8), "size": range(8), "colour": ["red"] * 4 + ["blue"] * 4}).to_parquet("n.parquet")
        pd.DataFrame({"source": range(7), "target": range(1, 8)}).to_parquet("e.parquet")
        new_project.configure(data__files__nodes="n.parquet", data__files__edges="e.parquet")
        new_project.start()
        assert new_project.nodes()["3"] == (3, "red")
        new_project.ingest(new_project.write("more.csv", "id,size,colour\n8,2,red\n3,4,red\n"))
        assert (new_project.nodes()["8"], new_project.nodes()["3"]) == ((2, "red"), (4, "red"))
        new_project.ingest(new_project.write("half.csv", "id,size,colour\n9,2.5,red\n"))
        assert new_project.nodes()["9"] == (2.5, "red")
        new_project.ingest(new_project.write("gap.csv", "id,size,colour\n10,,red\n"))
        assert math.isnan(new_project.nodes()["10"][0])
        assert new_project.nodes()["9"] == (2.5, "red")

    def test_values_that_are_not_known(self, new_project: Project) -> None:
        new_project.start()
        new_project.ingest(
            new_project.write("gaps.csv", "id,size,colour,change\nn8,,red,add\nn9,1,,add\nn0,0,red,add\n")
        )
        nodes = new_project.nodes()
        assert (nodes["n8"], nodes["n9"]) == (("", "red"), ("1", ""))
        report = new_project.ingest(new_project.write("again.csv", "id,size,colour\nn8,,red\n"))
        assert report.files[0].status == "known already"

    @pytest.mark.parametrize("parquet", [False, True])
    def test_booleans_change(self, new_project: Project, parquet: bool) -> None:
        nodes = pd.read_csv("nodes.csv").assign(new=[True, False] * 4)
        name = "n.parquet" if parquet else "n.csv"
        nodes.to_parquet(name, index=False) if parquet else nodes.to_csv(name, index=False)
        new_project.configure(data__files__nodes=name)
        new_project.start()
        text = "id,size,colour,new\nn0,0,blue,false\nn1,10,red,False\nn2,20,blue,\n"
        (file,) = new_project.ingest(new_project.write("a.csv", text)).files
        assert str(file.counts) == "2 nodes changed", "n1's is False as it was"
        values = new_project.nodes()
        assert [values[node][2] for node in ("n0", "n3")] == ([0, 0] if parquet else ["false", "False"])
        assert pd.isna(values["n2"][2]) or values["n2"][2] == ""

    def test_integers_with_a_gap_that_are_categories(self, new_project: Project) -> None:
        nodes = pd.read_csv("nodes.csv").assign(colour=pd.array([1, 2, 1, 2, 1, 2, 1, None], dtype="Int64"))
        nodes.to_parquet("n.parquet", index=False)
        new_project.configure(data__files__nodes="n.parquet")
        new_project.start()
        (file,) = new_project.ingest(new_project.write("e.csv", "source,target\nn0,n4\n")).files
        assert file.status == "taken"
        assert [new_project.nodes()[node][1] for node in ("n0", "n7")] == ["1", ""]

    @pytest.mark.parametrize("size", [7, 2**60 + 1])
    def test_large_whole_numbers_beside_a_gap_stay_exact(self, new_project: Project, size: int) -> None:
        pd.read_csv("nodes.csv").assign(size=size).to_parquet("n.parquet", index=False)
        new_project.configure(data__files__nodes="n.parquet", data__files__columns={"colour": "category"})
        new_project.start()
        new_project.ingest(new_project.write("a.csv", f"id,size,colour\nn8,{2**53 + 1},red\nn9, ,red\n"))
        values = new_project.nodes()
        assert (str(values["n0"][0]), str(values["n8"][0])) == (str(size), str(2**53 + 1))
        (file,) = new_project.ingest(new_project.write("b.csv", f"id,size,colour\nn8,{2**53},red\n")).files
        assert str(file.counts) == "1 node changed"

    @pytest.mark.parametrize("parquet", [False, True])
    def test_dates(self, new_project: Project, parquet: bool) -> None:
        days = pd.to_datetime([f"2024-01-0{day}" for day in range(1, 9)])
        nodes, edges = pd.read_csv("nodes.csv").assign(since=days), pd.read_csv("edges.csv").assign(day=days)
        if parquet:
            nodes.to_parquet("n.parquet", index=False)
            edges.to_parquet("e.parquet", index=False)
        else:
            nodes.to_csv("n.csv", index=False)
            edges.to_csv("e.csv", index=False)
        end = "parquet" if parquet else "csv"
        columns = {"colour": "category", "since": "number"}  # as `llp data start` writes them
        files = {"nodes": f"n.{end}", "edges": f"e.{end}", "time": "day", "columns": columns}
        new_project.configure(**{f"data__files__{name}": value for name, value in files.items()})
        new_project.start()
        text = "id,size,colour,since\nn0,0,blue,2024-02-01\nn8,1,red,2024-01-05\nn9,1,red,\n"
        (file,) = new_project.ingest(new_project.write("a.csv", text)).files
        assert file.counts == Counts(nodes_added=2, nodes_changed=1)
        (file,) = new_project.ingest(new_project.write("b.csv", "source,target,day\nn8,n9,2024-01-02\n")).files
        assert file.status == "taken"
        live = pd.read_parquet("data/live/edges.parquet")
        assert live["day"].tolist()[-1] == live["day"].tolist()[1] == 1_704_153_600
        (file,) = new_project.ingest(new_project.write("c.csv", "id,size,colour,since\nn7,0,blue,3\n")).files
        assert file.reason is not None
        assert "column 'since'" in file.reason

    def test_a_new_column(self, new_project: Project) -> None:
        new_project.start()
        new_project.configure(data__files__columns={"colour": "category", "age": "number"})
        both = new_project.write("a.csv", "id,size,colour,age\nn0,0,blue,7\nn8,1,red,\n")
        (file,) = new_project.ingest(both).files
        assert file.counts == Counts(nodes_added=1, nodes_changed=1)
        assert [new_project.nodes()[node][2] for node in ("n0", "n1", "n8")] == ["7", "", ""]
        (without,) = new_project.ingest(new_project.write("b.csv", "id,size,colour\nn9,1,red\n")).files
        assert without.reason is not None
        assert "b.csv, line 1: expected a column 'age', as the live data has. Add it." in without.reason

    def test_a_node_without_a_type(self, new_project: Project) -> None:
        new_project.configure(data__files__node_type="colour")
        new_project.start()
        (file,) = new_project.ingest(new_project.write("gap.csv", "id,size,colour\nn8,1,\n")).files
        assert file.reason is not None
        assert "gap.csv, column 'colour', line 2: expected a value, found nothing" in file.reason

    @pytest.mark.parametrize(("word", "kept"), [("7", 7), ("007", "007"), ("1.5", "1.5"), ("1" * 30, "1" * 30)])
    def test_integers_of_parquet_that_are_categories(self, new_project: Project, word: str, kept: object) -> None:
        """A word that looks like a number is no number there: it stays what it is."""
        colours = pd.read_csv("nodes.csv").assign(colour=[1, 2] * 4)
        colours.to_parquet("n.parquet", index=False)
        new_project.configure(data__files__nodes="n.parquet")
        new_project.start()
        new_project.configure(
            data__files__nodes="data/live/nodes.parquet", data__files__edges="data/live/edges.parquet"
        )
        (file,) = new_project.ingest(new_project.write("a.csv", f"id,size,colour\nn3,30,{word}\n")).files
        assert (file.status, str(file.counts)) == ("taken", "1 node changed")
        assert new_project.nodes()["n3"] == (30, kept)
        assert new_project.nodes()["n0"] == (0, type(kept)(1))

    @pytest.mark.parametrize(
        ("kind", "values"),
        [
            ("number", pd.array([2**63 + i for i in range(8)], dtype="uint64")),
            ("category", pd.array([2**63, 2**63 + 1] * 4, dtype="uint64")),
            ("ignore", pd.array([2**60 + 1, None] * 4, dtype="Int64")),
        ],
    )
    def test_integers_of_parquet_that_are_too_large_are_text(
        self, new_project: Project, kind: str, values: pd.api.extensions.ExtensionArray
    ) -> None:
        pd.read_csv("nodes.csv").assign(big=values).to_parquet("n.parquet", index=False)
        columns = {"colour": "category", "big": kind}
        new_project.configure(data__files__nodes="n.parquet", data__files__columns=columns)
        new_project.start()
        assert [row[2] for row in new_project.nodes().values()] == ["" if v is pd.NA else str(v) for v in values]
        path = new_project.root / "same.parquet"
        pd.read_parquet("n.parquet").iloc[::-1].to_parquet(path, index=False)
        new_project.configure(
            data__files__nodes="data/live/nodes.parquet", data__files__edges="data/live/edges.parquet"
        )
        (file,) = new_project.ingest(path).files
        assert file.status == "known already"

    def test_whole_numbers_stay_as_they_are_beside_a_gap(self, new_project: Project) -> None:
        stamps = [1_700_000_000_000_000_001 + 2 * i for i in range(8)]
        pd.read_csv("nodes.csv").assign(stamp=stamps).to_parquet("n.parquet", index=False)
        columns = {"colour": "category", "stamp": "ignore"}
        new_project.configure(data__files__nodes="n.parquet", data__files__columns=columns)
        new_project.start()
        more = {"id": ["n8", "n9"], "size": [1, 2], "colour": ["red"] * 2, "stamp": pd.array([5, None], dtype="Int64")}
        pd.DataFrame(more).to_parquet("more.parquet", index=False)
        (file,) = new_project.ingest(Path("more.parquet")).files
        assert file.counts == Counts(nodes_added=2)
        assert [row[2] for row in new_project.nodes().values()] == [*map(str, stamps), "5", ""]

    def test_decimals_of_parquet_are_numbers(self, new_project: Project) -> None:
        sizes = [Decimal(size) / 4 for size in range(8)]
        pd.DataFrame({"id": range(8), "size": sizes, "colour": ["red"] * 4 + ["blue"] * 4}).to_parquet("n.parquet")
        pd.DataFrame({"source": range(7), "target": range(1, 8)}).to_parquet("e.parquet")
        new_project.configure(data__files__nodes="n.parquet", data__files__edges="e.parquet")
        new_project.start()
        assert new_project.nodes()["3"] == (0.75, "red")

    def test_a_column_of_edges_that_is_not_kept(self, new_project: Project) -> None:
        edges = pd.read_csv("edges.csv").assign(note="x")
        edges.to_csv("edges.csv", index=False)
        new_project.start()
        edges.assign(note=[["x"]] * 8).to_parquet("more.parquet")
        (file,) = new_project.ingest(Path("more.parquet")).files
        assert file.reason is not None
        assert file.reason.startswith("more.parquet, column 'note': expected numbers or text, found type list<")

    def test_weights_and_times(self, new_project: Project) -> None:
        edges = "source,target,w,year,note\n" + "".join(f"n{i},n{i + 1},1,2000,x\n" for i in range(7))
        new_project.write("edges.csv", edges + "n1,n0,0.5,1999,y\n")
        new_project.configure(data__files__weight="w", data__files__time="year")
        new_project.start()
        text = "source,target,w,year,note\nn0,n7,1,2005,z\nn7,n0,2,2004,z\nn0,n1,9,1990,z\n"
        report = new_project.ingest(new_project.write("more.csv", text))
        assert report.files[0].counts == Counts(edges_added=1)
        frame = pd.read_parquet("data/live/edges.parquet").set_index(["source", "target"])
        assert frame.loc[("n0", "n1")].tolist() == [1.5, 1999, "x"]
        assert frame.loc[("n0", "n7")].tolist() == [3.0, 2004, "z"]

    def test_edges_wait_for_their_nodes_and_no_longer(self, project: Project) -> None:
        project.drop("1-edges.csv", "source,target\nn8,n9\n")
        project.drop("2-nodes.csv", "id,size,colour\nn8,1,red\n")
        project.drop("3-nodes.csv", "id,size,colour\nn9,1,red\n")
        project.drop("4-gone.csv", "id,change\nn8,remove\n")
        project.drop("5-edges.csv", "source,target\nn8,n1\n")
        statuses = {file.name: (file.status, file.counts) for file in project.ingest().files}
        assert statuses["1-edges.csv"] == ("taken", Counts(edges_added=1))
        assert statuses["4-gone.csv"] == ("taken", Counts(nodes_removed=1, edges_removed=1))
        assert statuses["5-edges.csv"] == ("quarantined", Counts())


class TestIdempotence:
    def test_the_same_files_again(self, project: Project) -> None:
        files = [
            project.write("a.csv", "id,size,colour\nn8,1,red\n"),
            project.write("b.csv", "source,target,change\nn8,n0,add\nn0,n1,remove\n"),
        ]
        assert project.ingest(*files).after == 2
        before = project.content()
        report = project.ingest(*files)
        assert (report.after, {file.status for file in report.files}) == (2, {"known already"})
        assert project.content() == before
        assert len(versions(project.root)) == 2
        assert all(file.exists() for file in files)

    def test_the_files_of_the_start(self, project: Project) -> None:
        report = project.ingest(project.root / "nodes.csv", project.root / "edges.csv")
        assert (report.after, {file.status for file in report.files}) == (1, {"known already"})

    def test_other_bytes_that_say_the_same(self, project: Project) -> None:
        report = project.ingest(project.write("again.csv", "\ufeff" + NODES.replace("\n", "\r\n")))
        assert (report.after, report.files[0].status) == (1, "known already")

    def test_a_file_that_comes_late_a_second_time_undoes_nothing(self, project: Project) -> None:
        first = project.write("first.csv", "source,target\nn0,n4\n")
        project.ingest(first)
        project.ingest(project.write("second.csv", "source,target,change\nn0,n4,remove\n"))
        assert project.ingest(first).files[0].status == "known already"
        assert pair("n0", "n4") not in project.edges()

    def test_twice_in_one_batch(self, project: Project) -> None:
        for name in ("a.csv", "c.csv"):
            project.drop(name, "source,target\nn0,n4\n")
            project.drop(f"bad-{name}", "source,target\nn0,nobody\n")
        report = project.ingest()
        assert [file.status for file in report.files] == ["taken", "quarantined", "quarantined", "known already"]
        assert project.incoming() == []
        assert sorted(project.quarantined()) == ["bad-a.csv", "bad-c.csv"]

    def test_files_that_take_each_other_back(self, project: Project) -> None:
        project.drop("a.csv", "source,target\nn0,n4\n")
        project.drop("b.csv", "source,target,change\nn0,n4,remove\n")
        report = project.ingest()
        assert (report.before, report.after) == (1, 1)
        assert project.incoming() == []

    def test_nothing_came(self, project: Project) -> None:
        report = project.ingest()
        assert (report.before, report.after, report.files) == (1, 1, ())


BAD = {
    "unknown end": ("source,target\nn0,n4\nn0,nobody\n", r"column 'target', line 3: expected an id of the live data"),
    "empty id": ("id,size,colour\nn8,1,red\n,1,red\n", r"column 'id', line 3: expected a value, found nothing"),
    "repeated id": ("id,size,colour\nn8,1,red\nn8,2,red\n", r"line 3: expected every id once, found 'n8' again"),
    "wrong type": ("id,size,colour\nn8,tall,red\n", r"column 'size', line 2: expected a finite number, found 'tall'"),
    "not finite": ("id,size,colour\nn8,inf,red\n", r"column 'size', line 2: expected a finite number"),
    "extra column": ("id,size,colour,weight\nn8,1,red,2\n", r"line 1: .* found also 'weight'"),
    "extra column of edges": ("source,target,chnage\nn0,n1,remove\n", r"line 1: .* found also 'chnage'"),
    "missing column": ("id,size\nn8,1\n", r"line 1: expected a column 'colour', as the live data has"),
    "unknown change": ("id,size,colour,change\nn8,1,red,delete\n", r"line 2: expected add or remove, found 'delete'"),
    "both": ("source,target,change\nn0,n4,add\nn4,n0,remove\n", r"line 2: .* 'n0' - 'n4' with both"),
    "neither nodes nor edges": ("a,b\n1,2\n", r"expected a column 'id', as a file of nodes has"),
    "too few values": ("id,size,colour\nn8,1\n", r"line 2: expected 3 values"),
    "no rows": ("id,size,colour\n", r"expected at least one row"),
    "nothing": ("", r"expected a header line"),
}


class TestQuarantine:
    @pytest.mark.parametrize(("text", "reason"), BAD.values(), ids=BAD)
    def test_a_bad_file_goes_there_and_the_rest_goes_in(self, project: Project, text: str, reason: str) -> None:
        project.drop("bad.csv", text)
        project.drop("good.csv", "source,target\nn0,n4\n")
        report = project.ingest()
        assert [(file.name, file.status) for file in report.files] == [
            ("bad.csv", "quarantined"),
            ("good.csv", "taken"),
        ]
        assert report.files[0].reason is not None
        assert project.quarantined() == {"bad.csv": report.files[0].reason + "\n"}
        assert (project.root / "data/quarantine/bad.csv").read_text() == text
        with pytest.raises(InputError, match=reason):
            raise InputError(report.files[0].reason)
        assert project.incoming() == []
        assert (report.after, len(project.edges()), len(project.nodes())) == (2, 9, 8)

    def test_what_is_no_csv_or_parquet(self, project: Project) -> None:
        (project.drop("a.parquet", "PAR1 no, not at all PAR1")).chmod(0o400)
        project.drop("b.txt", "id,size,colour\nn8,1,red\n")
        (project.root / "data/incoming/c.csv").write_bytes(b"id,size,colour\nn8,1,r\xe9d\n")
        whole = project.root / "whole.parquet"
        pd.DataFrame({"id": ["n8"], "size": [1], "colour": ["red"]}).to_parquet(whole)
        broken = bytearray(whole.read_bytes())
        broken[4:40] = b"\xff" * 36
        (project.root / "data/incoming/d.parquet").write_bytes(broken)
        assert {file.status for file in project.ingest().files} == {"quarantined"}
        reasons = project.quarantined()
        assert "it cannot be read as one" in reasons["a.parquet"]
        assert "ends in .csv or .parquet" in reasons["b.txt"]
        assert "line 2: expected UTF-8" in reasons["c.csv"]
        assert "d.parquet" in reasons["d.parquet"]

    def test_the_file_with_which_the_graph_does_not_hold(self, project: Project) -> None:
        # Twenty nodes without edges leave the largest component with less than half of all.
        project.drop("a-alone.csv", "id,size,colour\n" + "".join(f"x{i},1,red\n" for i in range(20)))
        project.drop("b-nodes.csv", "id,size,colour\nn8,1,red\n")
        project.drop("c-edges.csv", "source,target\nn8,n0\n")
        report = project.ingest()
        assert [file.status for file in report.files] == ["quarantined", "taken", "taken"]
        assert "largest_component" in project.quarantined()["a-alone.csv"]
        assert len(project.nodes()) == 9

    def test_several_files_with_which_it_does_not_hold(self, project: Project) -> None:
        for name in "ab":
            rows = "".join(f"{name}{i},1,red\n" for i in range(20))
            project.drop(f"{name}-alone.csv", f"id,size,colour\n{rows}")
        project.drop("c-edges.csv", "source,target\nn0,n4\n")
        project.drop("d-edges.csv", "source,target\na1,n4\n")
        report = project.ingest()
        assert [file.status for file in report.files] == ["quarantined", "quarantined", "taken", "quarantined"]
        assert "an id of the live data, found 'a1'" in project.quarantined()["d-edges.csv"]
        assert (len(project.nodes()), len(project.edges())) == (8, 9)

    def test_live_data_that_does_not_hold_by_itself(self, project: Project) -> None:
        project.configure(validate__min_nodes=100)
        project.drop("good.csv", "source,target\nn0,n4\n")
        with pytest.raises(InputError, match=r"live data itself does not hold .*\n.*enough_nodes"):
            project.ingest()
        assert project.incoming() == ["good.csv"]
        assert current_version(project.root) == 1

    def test_files_given_by_path_stay_where_they_are(self, project: Project) -> None:
        bad = project.write("elsewhere/bad.csv", "source,target\nn0,nobody\n")
        for _ in range(2):
            project.ingest(bad)
        assert bad.exists()
        assert list(project.quarantined()) == ["bad.csv"]
        bad.write_text("source,target\nn0,nobody else\n")
        project.ingest(bad)
        assert sorted(project.quarantined()) == ["bad.2.csv", "bad.csv"]

    def test_a_path_that_leads_nowhere(self, project: Project) -> None:
        good = project.write("good.csv", "source,target\nn0,n4\n")
        for path in (project.root / "none.csv", project.root / "data"):
            with pytest.raises(InputError, match="expected a file, found none"):
                project.ingest(good, path)
        assert current_version(project.root) == 1


class TestIncoming:
    def test_links_and_folders_are_refused(self, project: Project, tmp_path: Path) -> None:
        secret = tmp_path / "secret.csv"
        secret.write_text("source,target\nn0,n4\n")
        project.drop("good.csv", "source,target\nn1,n4\n")
        incoming = project.root / "data/incoming"
        (incoming / "link.csv").symlink_to(secret)
        (incoming / "folder.csv").mkdir()
        os.mkfifo(incoming / "pipe.csv")
        statuses = {file.name: file.status for file in project.ingest().files}
        assert statuses == dict.fromkeys(["folder.csv", "link.csv", "pipe.csv"], "quarantined") | {"good.csv": "taken"}
        assert pair("n0", "n4") not in project.edges()
        assert project.incoming() == []
        assert (project.root / "data/quarantine/link.csv").is_symlink()
        assert secret.read_text() == "source,target\nn0,n4\n"

    def test_names_that_lead_elsewhere_or_cannot_be_printed(self, project: Project) -> None:
        incoming = project.root / "data/incoming"
        incoming.mkdir()
        names = [b"%2e%2e%2fparams.csv", b"new\nline.csv", b"\xff.csv", b"\x1b[2J.csv"]
        for name in names:
            Path(os.fsdecode(bytes(incoming) + b"/" + name)).write_text("source,target\nn0,nobody\n")
        report = project.ingest()
        assert all(file.name.isprintable() and file.status == "quarantined" for file in report.files)
        kept = {os.fsencode(path.name) for path in (project.root / "data/quarantine").iterdir()}
        assert set(names) < kept

    def test_dvc_takes_no_file_for_its_own(self, project: Project) -> None:
        project.drop("dvc.yaml", "stages: [")
        project.drop("x.dvc", "outs: [")
        project.drop("good.csv", "source,target\nn0,n4\n")
        assert project.ingest().after == 2
        assert sorted(project.quarantined()) == ["dvc.yaml", "x.dvc"]
        assert project.ingest(project.write("more.csv", "source,target\nn1,n4\n")).after == 3

    def test_one_that_cannot_be_opened_keeps_no_other_out(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        project.drop("bad.csv", "source,target\nn0,n5\n")
        project.drop("good.csv", "source,target\nn0,n4\n")
        opened = os.open

        def refuse(path: Path, flags: int, *others: int) -> int:
            if Path(path).name == "bad.csv":
                raise PermissionError(errno.EACCES, "Permission denied")
            return opened(path, flags, *others)

        monkeypatch.setattr("llp_core.live.intake.os.open", refuse)
        report = project.ingest()
        assert [(file.name, file.status) for file in report.files] == [
            ("bad.csv", "quarantined"),
            ("good.csv", "taken"),
        ]
        reason = "it cannot be opened (Permission denied). Put it there anew, readable for the user that runs llp."
        assert project.quarantined() == {"bad.csv": f"{reason}\n"}
        assert project.incoming() == []

    def test_one_that_can_be_neither_opened_nor_moved_stays(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bad = project.drop("bad.csv", "source,target\nn0,n5\n")

        def refuse(*_: object) -> int:
            raise PermissionError(errno.EACCES, "Permission denied")

        monkeypatch.setattr("llp_core.live.intake.os.open", refuse)
        monkeypatch.setattr(Path, "rename", refuse)
        assert [file.status for file in project.ingest().files] == ["quarantined"]
        assert bad.is_file()
        assert (project.root / "data/quarantine/bad.csv.reason.txt").is_file()

    def test_one_that_is_gone_when_its_turn_comes(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        gone = project.drop("bad.csv", "source,target\nn0,n5\n")
        project.drop("good.csv", "source,target\nn0,n4\n")
        lstat = Path.lstat

        def late(path: Path) -> os.stat_result:
            if path == gone:
                gone.unlink(missing_ok=True)
            return lstat(path)

        monkeypatch.setattr(Path, "lstat", late)
        report = project.ingest()
        assert [file.status for file in report.files] == ["quarantined", "taken"]
        assert "No such file" in str(report.files[0].reason)

    @pytest.mark.parametrize("letter", ["a", "ä"])
    def test_a_long_name(self, project: Project, letter: str) -> None:
        name = letter * (251 // len(letter.encode())) + ".csv"
        for text in ("source,target\nn0,nobody\n", "source,target\nn0,no one\n"):
            project.drop(name, text)
            project.drop("good.csv", "source,target\nn0,n4\n")
            assert {file.status for file in project.ingest().files} <= {"taken", "known already", "quarantined"}
            assert project.incoming() == []
        kept = sorted(project.quarantined())
        assert len(kept) == 2
        assert all(set(kept_name.removesuffix(".csv")) <= {letter, ".", "2"} for kept_name in kept)
        assert pair("n0", "n4") in project.edges()

    def test_hidden_files_are_left_alone(self, project: Project) -> None:
        project.drop(".half-written.csv", "source,tar")
        assert project.ingest().files == ()

    def test_a_file_that_changed_since_it_was_read_stays(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from llp_core.live import intake

        path = project.drop("a.csv", "source,target\nn0,n4\n")
        put_away = intake.put_away

        def late(offer: intake.Offer) -> None:
            path.write_text("source,target\nn0,n4\nn0,n5\n")
            put_away(offer)

        monkeypatch.setattr("llp_core.live.ingesting.put_away", late)
        project.ingest()
        assert project.incoming() == ["a.csv"]
        monkeypatch.undo()
        assert project.ingest().after == 3
        assert pair("n0", "n5") in project.edges()

    def test_a_file_there_may_be_named(self, project: Project) -> None:
        path = project.drop("a.csv", "source,target\nn0,n4\n")
        project.drop("b.csv", "source,target\nn0,n5\n")
        project.ingest(path)
        assert project.incoming() == ["b.csv"]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), MemoryError()])
@pytest.mark.parametrize(
    "where", ["pyarrow.csv.read_csv", "llp_core.live.merging.changed", "llp_core.live.ingesting.write_live"]
)
def test_a_fault_of_the_machine_is_no_file_s(
    project: Project, monkeypatch: pytest.MonkeyPatch, error: Exception, where: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    file = project.drop("a.csv", "source,target\nn0,n4\n")
    with monkeypatch.context() as patch:
        patch.setattr(where, fail)
        with pytest.raises(type(error)):
            project.ingest()
    assert file.exists()
    assert not (project.root / "data/quarantine").exists()
    assert project.ingest().after == 2


def test_live_data_that_someone_changed(project: Project) -> None:
    path = project.root / "data/live/edges.parquet"
    pd.read_parquet(path).iloc[1:].to_parquet(path)
    with pytest.raises(InputError, match=r"not as version 1 was written. `llp data checkout 1` puts"):
        ingest(project.root, None, project.params)


def test_a_first_version_that_was_killed_and_then_changed(project: Project) -> None:
    shutil.rmtree(project.root / "data/versions")  # killed before it was recorded
    live = project.root / "data/live"
    (live / "edges.parquet").write_bytes(b"")
    with pytest.raises(InputError, match=r"not as version 1 was written\. Move it elsewhere, and `llp data start`"):
        ingest(project.root, None, project.params)
    live.rename(project.root / "elsewhere")
    assert project.start() == 1
