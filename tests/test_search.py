"""The search: what it may see, what it takes over, how it goes on."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
import torch
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from llp_core.config import Params
from llp_core.errors import InputError, LLPError
from llp_core.graph import canonical_edges
from llp_core.names import Setting
from llp_core.sampling import generator
from llp_core.search import PHASES, Found, Phase, phases, published, search
from llp_core.search.phases import InnerSplits, _result
from llp_core.search.problem import FINER, Problem, inner_graph, inner_shares
from llp_core.search.scoring import Job, locked, score
from llp_core.search.spaces import clipped, flat, nested, rounded, value_of, widened, with_values
from llp_core.search.trials import BEFORE_PRUNING, Study, open_storage
from llp_core.search.workers import Validation, Workers
from llp_core.splits import make_split
from llp_core.store import read_json
from llp_core.types import Graph, LinkSplit

NODES = 200
MODEL = Phase("model", "label", (), {"student.learning_rate": FloatDistribution(1e-3, 0.1, log=True)})
DISTILLATION = Phase(
    "distillation",
    "llp",
    ("model",),
    {"student.rank_weight": FloatDistribution(1e-3, 1e3, log=True), "contexts.walks": IntDistribution(1, 2)},
)


@pytest.fixture(scope="module")
def graph() -> Graph:
    """Two communities; the features tell which one a node is of."""
    edges = torch.randint(0, NODES, (2, 3000), generator=generator(0, "edges"))
    features = (torch.rand(NODES, 20, generator=generator(0, "features")) < 0.1).float()
    features[:100, 0] = features[100:, 1] = 1
    within = edges[:, (edges[0] < 100) == (edges[1] < 100)]
    names = tuple(str(node) for node in range(NODES))
    return Graph("tiny", names, features.to_sparse_csr(), canonical_edges(within, NODES).edges)


@pytest.fixture(scope="module")
def quick(params: Params) -> Params:
    small = {"hidden": 8, "max_epochs": 4}
    changed = with_values(params, {f"{part}.{key}": small[key] for part in ("teacher", "student") for key in small})
    run = changed.run.model_copy(update={"device": "cpu", "precision": "float32", "threads": 1})
    return changed.model_copy(update={"run": run, "split": changed.split.with_shares_of(0.3, 0.3)})


def split_of(graph: Graph, params: Params, setting: Setting = "production") -> LinkSplit:
    return make_split(graph, setting, params.split)


def poisoned(graph: Graph, split: LinkSplit) -> tuple[Graph, LinkSplit]:
    """The same but for all that the split holds back: new nodes' features, edges that are not for training, and
    which pairs it tests against, but not how many.
    """
    features = graph.features.to_dense()
    features[split.is_new] = 99.0
    seen = torch.cat((split.train_edges, split.valid_edges), dim=1)
    new = split.is_new.nonzero().flatten()
    every = torch.combinations(new).T
    edges = canonical_edges(torch.cat((seen, every), dim=1), graph.num_nodes).edges
    negatives = every[:, 60 : 60 + split.test_negatives.shape[1]]
    other = dataclasses.replace(
        split, test_edges=every[:, :60], test_negatives=negatives, inference_edges=every[:, :10]
    )
    return dataclasses.replace(graph, features=features.to_sparse_csr(), edges=edges), other


class TestWhatItMaySee:
    def test_the_inner_graph_by_hand(self, params: Params) -> None:
        pairs = torch.tensor
        graph = Graph("hand", ("a", "b", "c", "d"), torch.eye(4), pairs([[0, 0, 1, 2], [1, 2, 3, 3]]))
        graph = dataclasses.replace(graph, node_type=pairs([0, 1, 1, 0]))
        split = LinkSplit(
            setting="production",
            is_new=pairs([False, True, False, False]),
            train_edges=pairs([[2], [3]]),
            valid_edges=pairs([[0], [2]]),
            valid_negatives=pairs([[0], [3]]),
            inference_edges=pairs([[0, 2], [1, 3]]),
            test_edges=pairs([[1], [3]]),
            test_negatives=pairs([[1], [2]]),
        )
        inner = inner_graph(graph, split)
        assert inner.node_ids == ("a", "c", "d")
        assert inner.edges.tolist() == [[0, 1], [1, 2]]
        assert inner.node_type.tolist() == [0, 1, 0]
        assert inner.features.tolist() == [[1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]

    @pytest.mark.parametrize("setting", ["transductive", "production", "cold_start"])
    def test_no_edge_and_no_node_that_is_held_back(self, graph: Graph, quick: Params, setting: Setting) -> None:
        split = split_of(graph, quick, setting)
        problem = Problem.of(graph, split, quick.split, (0, 1))
        held_back = {tuple(pair) for pair in split.test_edges.T.tolist()}
        names = [int(name) for name in problem.graph.node_ids]
        edges = {(names[low], names[high]) for low, high in problem.graph.edges.T.tolist()}
        assert not edges & held_back
        assert not split.is_new[torch.tensor(names)].any()
        assert len(edges) == split.train_edges.shape[1] + split.valid_edges.shape[1]
        assert [inner.setting for inner in problem.splits] == [setting, setting]
        assert not torch.equal(problem.splits[0].test_edges, problem.splits[1].test_edges)
        assert problem.finer > 1
        asked = problem.finer * split.test_negatives.shape[1]
        assert {inner.test_negatives.shape[1] for inner in problem.splits} == {asked}

    def test_a_small_graph_is_tested_against_the_pairs_that_it_has(self, graph: Graph, quick: Params) -> None:
        problem = Problem.of(graph, split_of(graph, quick), quick.split, (0, 1))
        nodes = problem.graph.num_nodes
        possible = nodes * (nodes - 1) // 2 - problem.graph.edges.shape[1]
        finer = [dataclasses.replace(problem, negatives=possible // parts).finer for parts in (1, 3, 100)]
        assert finer == [1, 3, FINER]

    def test_what_is_held_back_changes_nothing(self, graph: Graph, quick: Params, tmp_path: Path) -> None:
        split = split_of(graph, quick)

        def found(graph: Graph, split: LinkSplit, name: str) -> Found:
            return search(graph, split, quick, 3, tmp_path / name, phases=(MODEL, DISTILLATION), workers=1)

        clean, other = found(graph, split, "clean"), found(*poisoned(graph, split), "poisoned")
        assert [result.trials for result in clean.phases] == [result.trials for result in other.phases]
        assert clean == other

    def test_shares(self, params: Params) -> None:
        small, large = (inner_shares(params.split.with_shares_of(share, share)) for share in (0.3, 0.1))
        shares = {"new_node_share": 0.15, "test_share": 0.2, "valid_share": 0.1, "extra_share": 0.05}
        assert small.production.model_dump() == shares
        assert large.production.model_dump() == {**shares, "new_node_share": 0.1, "test_share": 0.1}
        assert large.transductive == params.split.transductive

    def test_too_small(self, graph: Graph, quick: Params) -> None:
        few = dataclasses.replace(graph, edges=graph.edges[:, :300])
        with pytest.raises(
            InputError, match=r"data set tiny, setting production: .*what training may see of it, is too small"
        ):
            Problem.of(few, split_of(few, quick), quick.split, (0, 1))

    def test_too_small_within_a_split_that_is_large_enough(self, graph: Graph, quick: Params) -> None:
        shares = quick.split.with_shares_of(0.5, 0.4)
        few = dataclasses.replace(graph, edges=graph.edges[:, :700])
        split = make_split(few, "cold_start", shares)
        with pytest.raises(
            InputError, match=r"Take a larger graph, or hold back less: lower the shares of split\.prod"
        ):
            Problem.of(few, split, shares, (0, 1))

    @pytest.mark.parametrize("negatives", [0, 49])
    def test_too_few_pairs_in_the_reported_split(self, graph: Graph, quick: Params, negatives: int) -> None:
        split = split_of(graph, quick)
        few = dataclasses.replace(split, test_negatives=split.test_negatives[:, :negatives])
        with pytest.raises(
            InputError, match=rf"setting production: .* 50 test pairs without an edge.* has {negatives}\."
        ):
            Problem.of(graph, few, quick.split, (0, 1))

    def test_it_is_written_and_read(self, graph: Graph, quick: Params, tmp_path: Path) -> None:
        problem = Problem.of(graph, split_of(graph, quick), quick.split, (3, 4))
        problem.write(tmp_path / "problem")
        read = Problem.read(tmp_path / "problem")
        assert torch.equal(read.splits[1].test_edges, problem.splits[1].test_edges)
        assert read.about == problem.about


class TestScore:
    def test_each_method(self, graph: Graph, quick: Params, tmp_path: Path) -> None:
        problem = Problem.of(graph, split_of(graph, quick), quick.split, (0, 1))
        matching = with_values(
            quick, {"student.rank_weight": 0.1, "student.distribution_weight": 1.0, "student.learning_rate": 0.02}
        )
        scores = [
            score(problem, Job(matching, method, 1), tmp_path, tmp_path / "work")
            for method in ("teacher", "label", "logit", "representation", "llp")
        ]
        assert all(0 <= value <= 100 for value in scores)
        assert len(set(scores)) == 5, scores
        assert len([path for path in (tmp_path / "teachers").iterdir() if path.is_dir()]) == 1
        assert not (tmp_path / "work").exists()

    def test_the_same_job_is_done_once(self, graph: Graph, quick: Params, tmp_path: Path) -> None:
        problem = Problem.of(graph, split_of(graph, quick), quick.split, (0, 1))
        first = score(problem, Job(quick, "label", 0), tmp_path, tmp_path / "work")
        (written,) = (tmp_path / "scores").iterdir()
        written.write_text(written.read_text().replace(str(first), "12.5"))
        told: list[tuple[int, float]] = []
        score(problem, Job(quick, "label", 0), tmp_path, tmp_path / "work", lambda *figures: told.append(figures))
        assert told == [tuple(validation) for validation in read_json(written)["validations"]]
        assert [epochs for epochs, _ in told] == [4]
        # What a plain MLP does not depend on does not matter either.
        other = with_values(quick, {"teacher.learning_rate": 0.1, "contexts.walks": 1})
        assert score(problem, Job(other, "label", 0), tmp_path, tmp_path / "work") == 12.5
        # Nor how many other inner splits there are.
        more = Problem.of(graph, split_of(graph, quick), quick.split, (0, 1, 2))
        assert score(more, Job(quick, "label", 0), tmp_path, tmp_path / "work") == 12.5
        assert score(problem, Job(quick, "label", 1), tmp_path, tmp_path / "work") != 12.5
        renamed = dataclasses.replace(problem.graph, node_ids=tuple(f"node {name}" for name in problem.graph.node_ids))
        assert (
            score(dataclasses.replace(problem, graph=renamed), Job(quick, "label", 0), tmp_path, tmp_path / "work")
            != 12.5
        )


class TestGoingOn:
    def test_more_trials_go_on_and_the_same_number_is_done(self, graph: Graph, quick: Params, tmp_path: Path) -> None:
        split = split_of(graph, quick)

        def trials(count: int, workers: int = 1) -> tuple[object, ...]:
            found = search(graph, split, quick, count, tmp_path, phases=(MODEL,), workers=workers)
            return found.phases[0].trials

        first = trials(2, workers=2)
        assert len(first) == 2
        more = trials(4)
        assert len(more) == 4
        assert more[:2] == first
        size = (tmp_path / "trials.journal").stat().st_size
        scored = set((tmp_path / "scores").iterdir())
        assert trials(4) == more
        assert set((tmp_path / "scores").iterdir()) == scored
        assert (tmp_path / "trials.journal").stat().st_size - size < 500  # no trial

    def test_what_was_found_stays_once_it_is_in_use(self, graph: Graph, quick: Params, tmp_path: Path) -> None:
        split = split_of(graph, quick, "transductive")
        plain = {"student.feature_dropout": 0.0, "student.average": 0.0, "student.max_epochs": 20}
        slow = with_values(quick, {"student.learning_rate": 1e-6, **plain})
        found = search(graph, split, slow, 3, tmp_path, phases=(MODEL,), workers=1)
        assert found.phases[0].better
        assert found.values["student"]["learning_rate"] > 1e-4
        tuned = slow.tuned.model_dump() | {"transductive": {"teacher": {}, "contexts": {}, **found.values}}
        using = slow.model_copy(update={"tuned": type(slow.tuned).model_validate(tuned)})
        again = search(graph, split, using, 3, tmp_path, phases=(MODEL,), workers=1)
        assert (again.values, again.about()) == (found.values, found.about())
        assert not again.phases[0].better

    def test_killed_and_run_again(self, graph: Graph, quick: Params, tmp_path: Path) -> None:
        script = (
            "import sys\nsys.path.insert(0, sys.argv[1])\nfrom pathlib import Path\n"
            "import torch\nfrom llp_core.config import parse_params\nfrom llp_core.search import search\n"
            "from llp_core.splits import make_split\nfrom llp_core.store import load, read_json\n"
            "from llp_core.types import Graph\nfrom test_search import MODEL\n"
            "if __name__ == '__main__':\n"
            "    params = parse_params(read_json(Path('params.json')), 'test')\n"
            "    graph = load(Graph, Path('graph'))\n"
            "    split = make_split(graph, 'production', params.split)\n"
            "    search(graph, split, params, 3, Path('killed'), phases=(MODEL,), workers=1)\n"
        )
        from llp_core.store import save, write_json

        (tmp_path / "graph").mkdir()
        save(graph, tmp_path / "graph")
        write_json(tmp_path / "params.json", quick.model_dump(mode="json", by_alias=True))
        (tmp_path / "run.py").write_text(script)
        arguments = [sys.executable, "run.py", str(Path(__file__).parent)]
        with subprocess.Popen(arguments, cwd=tmp_path, env=os.environ | {"OMP_NUM_THREADS": "1"}) as process:
            while len(list((tmp_path / "killed" / "scores").glob("*"))) < 4:  # within the second trial
                assert process.poll() is None
                time.sleep(0.01)
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            process.send_signal(signal.SIGKILL)
            process.wait(timeout=30)
        until = time.monotonic() + 30
        while any(Path(f"/proc/{child}").exists() for child in children) and time.monotonic() < until:
            time.sleep(0.05)
        assert not [child for child in children if Path(f"/proc/{child}").exists()]
        split = split_of(graph, quick)
        resumed = search(graph, split, quick, 3, tmp_path / "killed", phases=(MODEL,), workers=1)
        undisturbed = search(graph, split, quick, 3, tmp_path / "undisturbed", phases=(MODEL,), workers=1)

        def tried(found: Found) -> list[dict[str, object]]:
            return [{**trial, "trial": None} for trial in found.phases[0].trials]

        assert tried(resumed) == tried(undisturbed)
        assert resumed.values == undisturbed.values

    def test_a_line_that_was_not_ended_is_dropped(self, tmp_path: Path) -> None:
        path = tmp_path / "trials.journal"
        optuna.create_study(storage=open_storage(path), study_name="one")
        with path.open("ab") as file:
            file.write(b'{"op_code": 4, "wor')
        (tmp_path / "trials.journal.lock").symlink_to(path)
        optuna.create_study(storage=open_storage(path), study_name="two")
        assert set(optuna.get_all_study_names(open_storage(path))) == {"one", "two"}


class TestPruning:
    def test_with_one_inner_split_a_training_below_the_median_ends(
        self, graph: Graph, quick: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(phases, "MANY_EDGES", 100)
        longer = with_values(quick, {"student.max_epochs": 30, "student.patience": 30})
        found = search(graph, split_of(graph, quick), longer, 14, tmp_path, phases=(MODEL,), workers=1)
        trials = found.phases[0].trials
        pruned = [trial["trial"] for trial in trials if trial["state"] == "pruned"]
        assert pruned
        assert min(pruned) >= BEFORE_PRUNING
        assert all((trial["score"] is None) == (trial["trial"] in pruned) for trial in trials)
        study = optuna.load_study(study_name=None, storage=open_storage(tmp_path / "trials.journal"))
        steps = [sorted(trial.intermediate_values) for trial in study.trials]
        assert all(10 <= steps[number][-1] <= 30 for number in pruned)  # a third of the epochs goes before
        assert min(steps[number][-1] for number in pruned) < 30
        assert all(steps[trial["trial"]] == [5, 10, 15, 20, 25, 30] for trial in trials if trial["score"] is not None)
        on_own = [path for path in (tmp_path / "scores").iterdir() if read_json(path)["seeds"] == found.seeds[0]]
        assert len(on_own) == len(trials) - len(pruned)


class TestWorkers:
    def test_failures_are_told_and_a_dead_process_is_replaced(
        self, graph: Graph, quick: Params, tmp_path: Path
    ) -> None:
        Problem.of(graph, split_of(graph, quick), quick.split, (0, 1)).write(tmp_path / "problem")
        narrow = with_values(quick, {"student.hidden": 4})
        long = with_values(quick, {"student.max_epochs": 10**6, "student.patience": 10**6})
        with Workers(1, tmp_path, threads=1) as workers:
            assert workers.idle == 1
            workers.submit(7, Job(narrow, "representation", 0))
            assert workers.idle == 0
            key, told = workers.wait()
            assert key == 7
            assert "student.hidden is 4 and the teacher's is 8" in str(told)
            workers.submit(8, Job(long, "label", 0))
            (process,) = [worker.process for worker in workers._workers]
            time.sleep(0.3)
            process.kill()
            assert workers.wait() == (
                8,
                "the process that scored it ended with code -9; if that is -9, there was too little memory",
            )
            workers.submit(9, Job(quick, "label", 0))
            key, value = workers.wait()
            assert key == 9
            assert isinstance(value, float)
        assert not process.is_alive()

    def test_a_watched_job_waits_at_each_validation_and_may_be_ended(
        self, graph: Graph, quick: Params, tmp_path: Path
    ) -> None:
        Problem.of(graph, split_of(graph, quick), quick.split, (0, 1)).write(tmp_path / "problem")
        longer = with_values(quick, {"student.max_epochs": 10, "student.patience": 10})
        with Workers(1, tmp_path, threads=1) as workers:
            workers.submit(3, Job(longer, "label", 0, watched=True))
            key, told = workers.wait()
            assert (key, told) == (3, Validation(5, told.score))
            assert 0 < told.score < 1
            assert workers.idle == 0
            workers.answer(3, go_on=True)
            assert workers.wait()[1].epochs == 10
            workers.answer(3, go_on=False)
            assert workers.idle == 1
            workers.submit(4, Job(quick, "label", 0))
            key, value = workers.wait()
            assert key == 4
            assert isinstance(value, float)
        (written,) = (tmp_path / "scores").iterdir()
        assert read_json(written)["score"] == value

    def test_a_problem_that_cannot_be_read_is_told(self, quick: Params, tmp_path: Path) -> None:
        with Workers(1, tmp_path, threads=1) as workers:
            workers.submit(0, Job(quick, "label", 0))
            _, told = workers.wait()
        assert "made.json: not found" in str(told)

    def test_settings_in_use_that_cannot_be_scored_end_the_search(
        self, graph: Graph, quick: Params, tmp_path: Path
    ) -> None:
        wild = with_values(quick, {"student.learning_rate": 1e30})
        with pytest.raises(LLPError, match=r"model: the settings in use now could not be scored: .* diverged in epoch"):
            search(graph, split_of(graph, quick), wild, 1, tmp_path, phases=(MODEL,), workers=1)

    def test_a_student_of_other_layers_than_its_teachers_starts_without_its_encoder(
        self, graph: Graph, quick: Params, tmp_path: Path
    ) -> None:
        shallow = with_values(quick, {"student.layers": 1, "student.start": "teacher"})
        start = Phase("distillation", "llp", (), {"student.start": CategoricalDistribution(("fresh", "teacher"))})
        logit = next(phase for phase in PHASES if phase.name == "logit")
        found = search(graph, split_of(graph, quick), shallow, 2, tmp_path, phases=(start, logit), workers=1)
        distillation, weight = found.phases
        assert {trial["state"] for trial in (*distillation.trials, *weight.trials)} == {"complete"}
        assert {trial["student.start"] for trial in distillation.trials} <= {"fresh", "decoder"}
        assert found.values["student"]["start"] in ("fresh", "decoder")

    def test_layers_that_are_searched_without_distillation_bring_first_weights_that_fit(
        self, graph: Graph, quick: Params, tmp_path: Path
    ) -> None:
        start = with_values(quick, {"student.start": "teacher"})
        deeper = Phase("model", "label", (), {"student.layers": IntDistribution(3, 3)})
        logit = dataclasses.replace(next(phase for phase in PHASES if phase.name == "logit"), after=("model",))
        used = quick.tuned.model_dump()
        used["production"]["student"] = {"layers": 3}
        params = start.model_copy(update={"tuned": type(quick.tuned).model_validate(used)})
        found = search(graph, split_of(graph, quick), params, 2, tmp_path, phases=(deeper, logit), workers=1)
        assert {trial["state"] for trial in found.phases[1].trials} == {"complete"}
        assert found.values["student"] == {**found.values["student"], "layers": 3, "start": "decoder"}

    def test_a_student_of_another_width_than_its_teachers_starts_fresh_and_matches_no_representations(
        self, graph: Graph, quick: Params, tmp_path: Path
    ) -> None:
        narrow = with_values(quick, {"student.hidden": 4, "student.start": "fresh"})
        starts = CategoricalDistribution(("fresh", "decoder", "teacher"))
        start = Phase("distillation", "llp", (), {"student.start": starts})
        representation = next(phase for phase in PHASES if phase.name == "representation")
        phases = (start, representation)
        found = search(graph, split_of(graph, quick), narrow, 4, tmp_path, phases=phases, workers=1)
        assert [result.phase.name for result in found.phases] == ["distillation"]
        assert {trial["state"] for trial in found.phases[0].trials} == {"complete"}


class TestRefused:
    def test_no_trials(self, graph: Graph, quick: Params, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="trials: expected at least 1, got 0"):
            search(graph, split_of(graph, quick), quick, 0, tmp_path)

    @pytest.mark.parametrize("count", [0, -1])
    def test_no_workers(self, graph: Graph, quick: Params, tmp_path: Path, count: int) -> None:
        with pytest.raises(InputError, match=f"workers: expected at least 1, .* got {count}"):
            search(graph, split_of(graph, quick), quick, 1, tmp_path, workers=count)

    def test_another_search_in_the_folder(self, graph: Graph, quick: Params, tmp_path: Path) -> None:
        with locked(tmp_path / "search.lock"), pytest.raises(InputError, match="another search is at work there"):
            search(graph, split_of(graph, quick), quick, 1, tmp_path)

    def test_no_room_for_processes_is_no_other_search(
        self, graph: Graph, quick: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(self: Workers, number: int) -> None:
            raise BlockingIOError(11, "Resource temporarily unavailable")

        monkeypatch.setattr(Workers, "_start", refuse)
        with pytest.raises(BlockingIOError, match="temporarily unavailable"):
            search(graph, split_of(graph, quick), quick, 1, tmp_path, phases=(MODEL,))


class TestWhatIsTaken:
    @pytest.mark.parametrize(
        ("best", "better", "value"),
        [([52.0, 53.0, 54.0], True, 0.02), ([60.0, 49.0, 51.0], False, 0.01), ([49.0, 49.0, 49.0], False, 0.01)],
    )
    def test_only_more_than_noise(self, quick: Params, best: list[float], better: bool, value: float) -> None:
        start = {"student.learning_rate": 0.01}
        study = Study("model", MODEL, MODEL.space, quick, [start], 3, 3)
        result = _result(study, [], {"student.learning_rate": 0.02}, start, best, [50.0] * 3, [48.0] * 3)
        assert result.better is better
        assert result.values == {"student.learning_rate": value}
        assert (result.current, result.untuned) == (50.0, 48.0)
        assert result.score == (53.0 if better else 50.0)

    @pytest.mark.parametrize(("many", "seeds", "fresh"), [(20_000, (0, 1, 2), (3, 4, 5, 6, 7)), (100, (0,), (1, 2, 3))])
    def test_a_gain_on_the_splits_that_chose_it_is_not_enough(
        self,
        many: int,
        seeds: tuple[int, ...],
        fresh: tuple[int, ...],
        graph: Graph,
        quick: Params,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(phases, "MANY_EDGES", many)
        jobs: dict[int, Job] = {}

        def score_of(self: Workers, key: int, job: Job) -> None:
            jobs[key] = job

        def lucky_at_first(self: Workers) -> tuple[int, float]:
            key, job = jobs.popitem()
            rate = job.params.student.learning_rate
            return key, (50.0 + 10 * (rate != quick.student.learning_rate)) if job.number in seeds else 50.0

        monkeypatch.setattr(Workers, "idle", property(lambda _: 1 - len(jobs)))
        monkeypatch.setattr(Workers, "submit", score_of)
        monkeypatch.setattr(Workers, "wait", lucky_at_first)
        found = search(graph, split_of(graph, quick), quick, 4, tmp_path, phases=(MODEL,), workers=1)
        (result,) = found.phases
        assert max(trial["score"] for trial in result.trials) == 60.0
        assert (result.gain, result.score, result.better) == (0.0, 50.0, False)
        assert found.values == {}
        assert (found.seeds, found.fresh_seeds) == (seeds, fresh)

    def test_a_weight_of_0_stays_where_nothing_is_better(
        self, graph: Graph, quick: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        jobs: dict[int, Job] = {}
        monkeypatch.setattr(Workers, "idle", property(lambda _: 1 - len(jobs)))
        monkeypatch.setattr(Workers, "submit", lambda self, key, job: jobs.update({key: job}))
        monkeypatch.setattr(Workers, "wait", lambda self: (jobs.popitem()[0], 50.0))
        tuned = quick.tuned.model_dump()
        tuned["production"]["student"] = {"rank_weight": 0.0}
        params = quick.model_copy(update={"tuned": type(quick.tuned).model_validate(tuned)})
        found = search(graph, split_of(graph, quick), params, 2, tmp_path, phases=(DISTILLATION,), workers=1)
        assert found.values == {"student": {"rank_weight": 0.0}}

    def test_what_cannot_be_scored_on_fresh_splits_ends_the_search(
        self, graph: Graph, quick: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        jobs: dict[int, Job] = {}
        split = split_of(graph, quick)
        monkeypatch.setattr(Workers, "idle", property(lambda _: 1 - len(jobs)))
        monkeypatch.setattr(Workers, "submit", lambda self, key, job: jobs.update({key: job}))

        def none_when_fresh(self: Workers) -> tuple[int, float | str]:
            key, job = jobs.popitem()
            return key, 50.0 if job.number < InnerSplits.of(split).trials else "no memory"

        monkeypatch.setattr(Workers, "wait", none_when_fresh)
        with pytest.raises(LLPError, match=r"model: .*learning_rate.* could not be scored: no memory"):
            search(graph, split, quick, 1, tmp_path, phases=(MODEL,), workers=1)


class TestSpaces:
    def test_every_setting_of_every_phase_is_one(self, quick: Params) -> None:
        for phase in PHASES:
            for key, allowed in phase.space.items():
                value = value_of(quick, key)
                (wide,) = widened({key: allowed}, [{key: value}]).values()
                assert wide._contains(wide.to_internal_repr(value))
        keys = [key for phase in PHASES for key in phase.space]
        assert len(keys) == len(set(keys))

    def test_room_for_what_someone_chose(self) -> None:
        space = {
            "float": FloatDistribution(0.1, 1.0, log=True),
            "int": IntDistribution(1, 3),
            "choice": CategoricalDistribution((1, 2)),
        }
        assert widened(space, [{"float": 3.0, "int": 5, "choice": 7}]) == {
            "float": FloatDistribution(0.1, 3.0, log=True),
            "int": IntDistribution(1, 5),
            "choice": CategoricalDistribution((1, 2, 7)),
        }
        assert widened(space, [{"float": 0.0, "int": 2, "choice": 1}]) == space
        assert clipped(space, {"float": 0.0, "int": 9, "choice": 2}) == {"float": 0.1, "int": 3, "choice": 2}
        assert clipped(space, {"choice": 3}) == {"choice": 2}
        assert rounded(space, {"float": 0.123456, "int": 3, "choice": 2}) == {"float": 0.123, "int": 3, "choice": 2}

    def test_sections(self) -> None:
        sections = {"teacher": {"dropout": 0.1}, "student": {"dropout": 0.2, "margin": 0.3}}
        assert flat(sections) == {"teacher.dropout": 0.1, "student.dropout": 0.2, "student.margin": 0.3}
        assert nested(flat(sections)) == sections

    @pytest.mark.parametrize("dataset", ["cora", "photos", "collab", "debian"])
    def test_published_settings_are_settings(self, quick: Params, dataset: str) -> None:
        values = published(dataset, "transductive")
        assert bool(values) == (dataset != "debian")
        assert all(value_of(with_values(quick, values), key) == value for key, value in values.items())

    def test_cold_start_takes_the_published_settings_of_production(self) -> None:
        assert published("cora", "cold_start") == published("cora", "production")
        assert published("cora", "production")["student.rank_weight"] == pytest.approx(1e-5)
