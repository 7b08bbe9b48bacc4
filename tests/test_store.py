"""Artefacts come back as they were saved, are written whole or not at all, and are checked when read."""

import errno
import json
import os
import stat
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from llp_core import __version__, store
from llp_core.errors import InputError
from llp_core.types import Contexts, Evaluation, Graph, LatencyRow, LatencyTable


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write(folder: Path, text: str) -> None:
    with store.new_folder(folder, {"stage": "test"}) as new:
        (new / "text").write_text(text)


class TestNewFolder:
    def test_says_how_it_was_made(self, tmp_path):
        write(tmp_path / "deep" / "artefact", "one")
        made = json.loads((tmp_path / "deep/artefact/made.json").read_text())
        assert made["stage"] == "test"
        assert made["versions"]["llp"] == __version__
        assert names(tmp_path / "deep") == ["artefact"]

    def test_replaces_the_former_one_whole(self, tmp_path):
        write(tmp_path / "artefact", "one")
        (tmp_path / "artefact/extra").touch()
        write(tmp_path / "artefact", "two")
        assert (tmp_path / "artefact/text").read_text() == "two"
        assert names(tmp_path / "artefact") == ["made.json", "text"]
        assert names(tmp_path) == ["artefact"]

    def test_an_error_leaves_the_former_one_and_nothing_else(self, tmp_path):
        def fail() -> None:
            with store.new_folder(tmp_path / "artefact", {}) as new:
                (new / "text").write_text("half")
                raise RuntimeError("stop")

        write(tmp_path / "artefact", "one")
        with pytest.raises(RuntimeError, match="stop"):
            fail()
        assert (tmp_path / "artefact/text").read_text() == "one"
        assert names(tmp_path) == ["artefact"]

    def test_a_kill_between_its_renames_loses_nothing(self, tmp_path):
        def fail() -> None:
            with store.new_folder(tmp_path / "scores", {}):
                raise RuntimeError("stop")

        write(tmp_path / "scores", "one")
        (tmp_path / "scores").rename(tmp_path / ".scores.former")
        with pytest.raises(RuntimeError, match="stop"):
            fail()
        assert (tmp_path / "scores/text").read_text() == "one"
        assert names(tmp_path) == ["scores"]

    def test_an_interrupt_between_its_renames_leaves_the_former_one(self, tmp_path, monkeypatch):
        write(tmp_path / "artefact", "one")
        rename = Path.rename

        def interrupted(path, target):
            if path.name == ".artefact.new":
                raise KeyboardInterrupt
            return rename(path, target)

        monkeypatch.setattr(Path, "rename", interrupted)
        with pytest.raises(KeyboardInterrupt):
            write(tmp_path / "artefact", "two")
        assert (tmp_path / "artefact/text").read_text() == "one"
        assert names(tmp_path) == ["artefact"]

    def test_clears_what_a_killed_run_left(self, tmp_path):
        killed = store.new_folder(tmp_path / "artefact", {})
        (killed.__enter__() / "text").write_text("half")
        assert names(tmp_path) == [".artefact.new"]
        write(tmp_path / "artefact", "two")
        assert names(tmp_path) == ["artefact"]
        assert names(tmp_path / "artefact") == ["made.json", "text"]

    def test_a_neighbour_of_a_longer_name_stays(self, tmp_path):
        with store.new_folder(tmp_path / "teacher_scores", {}) as scores:
            write(tmp_path / "teacher", "one")
            (scores / "text").write_text("scores")
        assert names(tmp_path) == ["teacher", "teacher_scores"]

    def test_a_link_to_a_folder_stays_one(self, tmp_path):
        (tmp_path / "disk").mkdir()
        (tmp_path / "link").symlink_to("disk")
        for text in ("one", "two"):
            write(tmp_path / "link", text)
            assert (tmp_path / "disk/text").read_text() == text
        assert names(tmp_path) == ["disk", "link"]
        assert (tmp_path / "link").is_symlink()


class TestAtomicFile:
    def test_takes_the_path_s_place(self, tmp_path):
        (tmp_path / "file").write_text("one")
        with store.atomic_file(tmp_path / "file") as temporary:
            temporary.write_text("two")
            assert (tmp_path / "file").read_text() == "one"
        assert (tmp_path / "file").read_text() == "two"
        assert names(tmp_path) == ["file"]

    def test_an_error_leaves_the_file_and_nothing_else(self, tmp_path):
        def fail() -> None:
            with store.atomic_file(tmp_path / "file") as temporary:
                temporary.write_text("half")
                raise RuntimeError("stop")

        (tmp_path / "file").write_text("one")
        with pytest.raises(RuntimeError, match="stop"):
            fail()
        assert (tmp_path / "file").read_text() == "one"
        assert names(tmp_path) == ["file"]

    def test_a_full_disk_says_where(self, tmp_path):
        def fail() -> None:
            with store.atomic_file(tmp_path / "file"):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with pytest.raises(OSError, match=f"No space left on device: '{tmp_path}/file'"):
            fail()

    def test_whom_it_is_open_to_is_up_to_the_user(self, tmp_path):
        def mode(name: str) -> int:
            return stat.S_IMODE((tmp_path / name).stat().st_mode)

        before = os.umask(0o077)
        try:
            store.write_json(tmp_path / "x.json", 1)
            store.write_tensors(tmp_path / "x.safetensors", {"x": torch.ones(1)})
            os.umask(0o002)
            store.write_json(tmp_path / "y.json", 1)
            store.write_tensors(tmp_path / "y.safetensors", {"x": torch.ones(1)})
            store.write_json(tmp_path / "x.json", 2)
        finally:
            os.umask(before)
        assert (mode("x.json"), mode("x.safetensors")) == (0o600, 0o600)
        assert (mode("y.json"), mode("y.safetensors")) == (0o664, 0o664)

    def test_tensors_that_may_not_be_read_are_not_called_missing(self, tmp_path, monkeypatch):
        def refuse(path):
            raise FileNotFoundError(path)  # as safetensors says it

        store.write_tensors(tmp_path / "x.safetensors", {"x": torch.ones(1)})
        monkeypatch.setattr("safetensors.torch.load_file", refuse)
        with pytest.raises(InputError, match=r"x\.safetensors: this user may not read it"):
            store.read_tensors(tmp_path / "x.safetensors")

    def test_a_link_stays_one(self, tmp_path):
        store.write_json(tmp_path / "real.json", 1)
        (tmp_path / "link.json").symlink_to("real.json")
        store.write_json(tmp_path / "link.json", 2)
        assert (tmp_path / "link.json").is_symlink()
        assert store.read_json(tmp_path / "real.json") == 2


class TestJSON:
    def test_comes_back_in_order_and_readable(self, tmp_path):
        store.write_json(tmp_path / "x.json", {"b": 1, "a": "é"})
        assert (tmp_path / "x.json").read_text(encoding="utf-8") == '{\n  "b": 1,\n  "a": "é"\n}\n'
        assert store.read_json(tmp_path / "x.json") == {"b": 1, "a": "é"}

    def test_refuses_what_is_not_json(self, tmp_path):
        with pytest.raises(ValueError, match="nan"):
            store.write_json(tmp_path / "x.json", {"x": float("nan")})
        assert names(tmp_path) == []

    def test_a_fault_of_the_machine_is_no_damage(self, tmp_path, graph, monkeypatch):
        def fail(_):
            raise OSError(errno.EMFILE, "Too many open files")

        store.save(graph, tmp_path)
        monkeypatch.setattr(store, "read_tensors", fail)
        with pytest.raises(OSError, match="Too many open files"):
            store.load(Graph, tmp_path)

    def test_missing(self, tmp_path):
        with pytest.raises(InputError, match=r"x\.json: not found\. An earlier stage makes it: run `dvc repro`"):
            store.read_json(tmp_path / "x.json")

    @pytest.mark.parametrize("content", [b"{", b"\xff"])
    def test_unreadable(self, tmp_path, content):
        (tmp_path / "x.json").write_bytes(content)
        with pytest.raises(InputError, match=r"x\.json: not readable \(.*\)\. Remove it"):
            store.read_json(tmp_path / "x.json")


class TestTensors:
    def test_come_back_in_their_layout(self, tmp_path):
        dense = torch.tensor([[1.0, 0.0, 2.0], [0.0, 0.0, 3.0]])
        tensors = {"dense": dense, "sparse": dense.to_sparse_csr(), "turned": dense.T, "none": None}
        store.write_tensors(tmp_path / "x.safetensors", tensors)
        back = store.read_tensors(tmp_path / "x.safetensors")
        assert sorted(back) == ["dense", "sparse", "turned"]
        assert torch.equal(back["dense"], dense)
        assert torch.equal(back["turned"], dense.T)
        assert back["sparse"].layout == torch.sparse_csr
        assert torch.equal(back["sparse"].to_dense(), dense)

    def test_of_all_zeros_keep_their_shape(self, tmp_path):
        store.write_tensors(tmp_path / "x.safetensors", {"x": torch.zeros(2, 3).to_sparse_csr()})
        assert store.read_tensors(tmp_path / "x.safetensors")["x"].shape == (2, 3)

    def test_missing(self, tmp_path):
        with pytest.raises(InputError, match=r"x\.safetensors: not found"):
            store.read_tensors(tmp_path / "x.safetensors")

    def test_unreadable(self, tmp_path):
        (tmp_path / "x.safetensors").write_bytes(b"no")
        with pytest.raises(InputError, match=r"x\.safetensors: not readable"):
            store.read_tensors(tmp_path / "x.safetensors")

    @pytest.mark.parametrize(
        "fault",
        [{"x.col_indices": torch.tensor([7])}, {"x.values": torch.ones(2)}, {"x.shape": torch.tensor([5, 5])}],
        ids=["column outside", "one value too many", "too few rows"],
    )
    def test_a_broken_sparse_tensor_is_refused(self, tmp_path, fault):
        file = tmp_path / "x.safetensors"
        store.write_tensors(file, {"x": torch.tensor([[1.0, 0.0]]).to_sparse_csr()})
        save_file(load_file(file) | fault, file)
        with pytest.raises(InputError, match=r"x\.safetensors: not readable"):
            store.read_tensors(file)

    def test_a_sparse_tensor_that_lacks_a_part_is_refused(self, tmp_path):
        save_file({"x.crow_indices": torch.tensor([0])}, tmp_path / "x.safetensors")
        with pytest.raises(InputError, match=r"not readable \('x\.col_indices'\)"):
            store.read_tensors(tmp_path / "x.safetensors")


EVALUATION = Evaluation("production", 3, {"all": 2}, {"llp": {"all": {"hits_at_20": 0.5}}})
LATENCY = LatencyTable(
    "cold_start",
    "cpu",
    1,
    (
        LatencyRow("llp", "online", 10, 5, 0.3, 0.1, 0.15, 0.2, faster_low=1.5, faster_high=2.5),
        LatencyRow("teacher", "offline", 10, 5, 0.3, 0.1, 0.15, 0.2),
    ),
)


class TestArtefacts:
    def test_a_graph_comes_back(self, tmp_path, graph):
        store.save(graph, tmp_path)
        assert names(tmp_path) == ["fields.json", "node_ids.parquet", "tensors.safetensors"]
        back = store.load(Graph, tmp_path)
        assert (back.name, back.node_ids, back.edge_weight, back.edge_time) == (graph.name, graph.node_ids, None, None)
        assert torch.equal(back.edges, graph.edges)
        assert torch.equal(back.features.to_dense(), graph.features.to_dense())
        assert back.features.layout == torch.sparse_csr

    def test_weights_and_times_come_back(self, tmp_path, graph):
        weight, time = torch.arange(7.0), torch.arange(7)
        store.save(Graph(graph.name, graph.node_ids, graph.features, graph.edges, weight, time), tmp_path)
        back = store.load(Graph, tmp_path)
        assert torch.equal(back.edge_weight, weight)
        assert torch.equal(back.edge_time, time)

    def test_the_files_open_without_this_code(self, tmp_path, graph):
        store.save(graph, tmp_path)
        assert pd.read_parquet(tmp_path / "node_ids.parquet")["node_ids"].tolist() == list("abcdef")
        assert torch.equal(load_file(tmp_path / "tensors.safetensors")["edges"], graph.edges)
        assert json.loads((tmp_path / "fields.json").read_text()) == {"name": "triangles"}

    def test_contexts_come_back(self, tmp_path):
        nodes = torch.tensor([[[1], [0]]], dtype=torch.int32)
        store.save(Contexts(nodes), tmp_path)
        back = store.load(Contexts, tmp_path)
        assert torch.equal(back.nodes, nodes)

    @pytest.mark.parametrize("artefact", [EVALUATION, LATENCY], ids=["evaluation", "latency"])
    def test_figures_come_back(self, tmp_path, artefact):
        store.save(artefact, tmp_path)
        assert names(tmp_path) == ["fields.json"]
        assert store.load(type(artefact), tmp_path) == artefact

    def test_missing(self, tmp_path):
        with pytest.raises(InputError, match="none: not found"):
            store.load(Graph, tmp_path / "none")

    @pytest.mark.parametrize("file", ["fields.json", "node_ids.parquet", "tensors.safetensors"])
    def test_a_missing_file_is_refused(self, tmp_path, graph, file):
        store.save(graph, tmp_path)
        (tmp_path / file).unlink()
        with pytest.raises(InputError, match=r"not readable .*missing .* required"):
            store.load(Graph, tmp_path)

    @pytest.mark.parametrize("file", ["fields.json", "node_ids.parquet", "tensors.safetensors"])
    def test_a_damaged_file_is_refused(self, tmp_path, graph, file):
        store.save(graph, tmp_path)
        (tmp_path / file).write_bytes(b"no")
        with pytest.raises(InputError, match="not readable"):
            store.load(Graph, tmp_path)

    @pytest.mark.parametrize("file", ["node_ids.parquet", "tensors.safetensors"])
    def test_damage_within_a_file_is_refused(self, tmp_path, graph, file):
        store.save(graph, tmp_path)
        whole = (tmp_path / file).read_bytes()
        refused = 0
        for start in range(0, len(whole) - 8, 20):
            (tmp_path / file).write_bytes(whole[:start] + 8 * b"\xff" + whole[start + 8 :])
            try:
                store.load(Graph, tmp_path)  # where no rule forbids what it makes of the values
            except InputError:
                refused += 1
        assert refused > 10

    @pytest.mark.parametrize(
        "content",
        ["[]", '{"name": "x", "kind": 1}', '{"name": [1]}'],
        ids=["no object", "a field too many", "a list where none belongs"],
    )
    def test_other_fields_are_refused(self, tmp_path, graph, content):
        store.save(graph, tmp_path)
        (tmp_path / "fields.json").write_text(content)
        with pytest.raises(InputError, match="not readable"):
            store.load(Graph, tmp_path)

    def test_another_column_is_refused(self, tmp_path, graph):
        store.save(graph, tmp_path)
        pd.DataFrame({"id": list("abcdef")}).to_parquet(tmp_path / "node_ids.parquet")
        with pytest.raises(InputError, match=r"not readable \('node_ids'\)"):
            store.load(Graph, tmp_path)

    def test_an_artefact_that_breaks_a_rule_is_refused(self, tmp_path, graph):
        store.save(graph, tmp_path)
        tensors = store.read_tensors(tmp_path / "tensors.safetensors")
        store.write_tensors(tmp_path / "tensors.safetensors", tensors | {"edges": tensors["edges"].flip(0)})
        with pytest.raises(InputError, match="7 pairs are not"):
            store.load(Graph, tmp_path)
