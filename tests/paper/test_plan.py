"""Which jobs there are, in which order, and what their figures depend on."""

import json
from collections import Counter
from pathlib import Path

import pytest
import yaml

from llp_core.config import Params
from llp_core.errors import InputError
from llp_core.names import METHODS, SETTINGS, TEACHER
from llp_core.paper import plan
from llp_core.paper.plan import ALL_METHODS, PLAN, STUDENT_ORDER, Cell, Job, group_of, plan_jobs, settings_text


def test_the_plan_of_the_tables(params: Params) -> None:
    cells = [cell for job in plan_jobs(params) for cell in job.cells]
    assert len(set(cells)) == len(cells)
    counts = Counter(group_of(cell) for cell in cells)
    for dataset in ("cora", "citeseer", "photos", "debian"):
        assert {counts[dataset, setting, method] for setting in SETTINGS for method in ALL_METHODS} == {10}
    for dataset, runs in (("computers", 3), ("cs", 5), ("physics", 3)):
        compared = {counts[dataset, setting, method] for setting in SETTINGS for method in (TEACHER, "label", "llp")}
        assert compared == {runs}
        assert counts[dataset, "production", "rank"] == counts[dataset, "transductive", "logit"] == 1
    assert {cell.split for cell in cells if cell.dataset == "cora"} == {234, 235}
    assert {cell.split for cell in cells if cell.dataset == "cs"} == {234}


def test_the_first_seed_of_every_data_set_comes_first(params: Params) -> None:
    jobs = plan_jobs(params)
    first = jobs[: 2 * len(PLAN)]
    assert {(job.dataset, job.cells[0].seed, job.cells[0].split) for job in first} == {(name, 0, 234) for name in PLAN}
    assert [job.dataset for job in first][:2] == ["citeseer", "citeseer"]
    assert first[-1].dataset == "physics"
    assert [job.cells[0].seed for job in jobs] == sorted(job.cells[0].seed for job in jobs)


def test_production_and_cold_start_share_a_job(params: Params) -> None:
    jobs = plan_jobs(params, ["cora"], seeds=1, splits=1)
    assert [job.settings for job in jobs] == [("transductive",), ("production", "cold_start")]
    assert jobs[1].name == "cora-production+cold_start-split234-seed0"
    assert jobs[1].students == STUDENT_ORDER
    assert set(STUDENT_ORDER) == set(METHODS)
    assert jobs[0].params.split.production.new_node_share == 0.3


def test_settings_of_their_own_part_them(params: Params, tuned_folder: Path) -> None:
    tuned = yaml.safe_load((tuned_folder / "default.yaml").read_text())
    tuned["cold_start"]["student"] = {"margin": 0.2}
    (tuned_folder / "cora.yaml").write_text(yaml.safe_dump(tuned))
    jobs = plan_jobs(params, ["cora"], seeds=1, splits=1)
    assert [job.settings for job in jobs] == [(setting,) for setting in SETTINGS]
    assert [job.params.student.margin for job in jobs] == [params.student.margin, params.student.margin, 0.2]


def test_methods_that_are_measured_once(params: Params) -> None:
    def of(**asked: int) -> Counter[str]:
        return Counter(cell.method for job in plan_jobs(params, ["cs"], ["cold_start"], **asked) for cell in job.cells)

    assert of() == of(splits=PLAN["cs"].splits)
    assert of(splits=2)["logit"] == of()["logit"] == 1
    assert of(splits=2)["llp"] == 2 * of()["llp"]
    assert of(seeds=2)["logit"] == of(seeds=2)["llp"] == 2


def test_a_part_of_the_plan(params: Params) -> None:
    jobs = plan_jobs(params, ["cs"], ["cold_start"], ["logit", TEACHER], seeds=2, splits=2)
    assert [cell for job in jobs for cell in job.cells] == [
        Cell("cs", "cold_start", method, split, seed)
        for seed in (0, 1)
        for split in (234, 235)
        for method in (TEACHER, "logit")
    ]


def test_what_is_done_leaves_a_job(params: Params) -> None:
    (job,) = plan_jobs(params, ["cora"], ["transductive"], [TEACHER, "llp"], seeds=1, splits=1)
    left = job.without({job.cells[0]})
    assert left is not None
    assert left.cells == job.cells[1:]
    assert left.students == ("llp",)
    assert left.without(set(job.cells)) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"datasets": ["coro"]}, "Did you mean cora"),
        ({"datasets": ["files"]}, "llp run-flow full --dataset files"),
        ({"settings": ["prodction"]}, "Did you mean production"),
        ({"methods": ["gnn"]}, "There are teacher, label"),
        ({"seeds": 0}, "seeds: at least 1 is needed, got 0"),
        ({"splits": -1}, "splits: at least 1 is needed, got -1"),
    ],
)
def test_what_is_not_known_is_refused(params: Params, arguments: dict[str, list[str]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        plan_jobs(params, **arguments)


class TestSettingsText:
    @pytest.fixture
    def job(self, params: Params) -> Job:
        probabilities = params.student.model_copy(update={"match": "probabilities"})
        own = params.model_copy(update={"student": probabilities})
        return plan_jobs(own, ["cora"], ["production"], seeds=1, splits=1)[0]

    def changed(self, job: Job, section: str, **values: object) -> set[str]:
        """Methods whose text another value changes."""
        own = getattr(job.params, section).model_copy(update=values)
        other = Job(job.cells, job.params.model_copy(update={section: own}))
        return {cell.method for cell in job.cells if settings_text(job, cell) != settings_text(other, cell)}

    @pytest.mark.parametrize(
        ("section", "values", "methods"),
        [
            ("teacher", {"dropout": 0.1}, set(ALL_METHODS) - {"label"}),
            ("teacher", {"batching": "sampled"}, set(ALL_METHODS) - {"label"}),
            ("teacher", {"batching": "full", "fanouts": (3,)}, set()),
            ("contexts", {"walks": 7}, set(METHODS) - {"label"}),
            ("student", {"dropout": 0.1}, set(METHODS)),
            ("student", {"label_weight": 0.7}, set(METHODS)),
            ("student", {"margin": 0.7}, {"rank", "llp"}),
            ("student", {"temperature": 0.7}, {"distribution", "llp"}),
            ("student", {"match": "logits"}, {"rank", "distribution", "llp"}),
            ("student", {"logit_weight": 0.7}, {"logit"}),
            ("student", {"representation_weight": 0.7}, {"representation"}),
            ("student", {"members": 2}, set(METHODS)),
            ("teacher", {"optimizer": "muon"}, set(ALL_METHODS) - {"label"}),
            ("student", {"optimizer": "muon"}, set(METHODS) - {"label"}),
            ("student", {"methods": ("llp",)}, set()),
            ("run", {"precision": "float32"}, set(ALL_METHODS)),
            ("run", {"seed": 7}, set()),
        ],
    )
    def test_only_what_a_method_uses_counts(
        self, job: Job, section: str, values: dict[str, object], methods: set[str]
    ) -> None:
        current = getattr(job.params, section)
        assert all(getattr(current, key) != value for key, value in values.items())
        assert self.changed(job, section, **values) == methods

    def test_a_method_whose_own_code_changed_is_measured_anew(self, job: Job, monkeypatch) -> None:
        before = {cell: settings_text(job, cell) for cell in job.cells}
        monkeypatch.setattr(plan, "OWN_REVISIONS", {**plan.OWN_REVISIONS, "rank": 1})
        assert {cell.method for cell in job.cells if settings_text(job, cell) != before[cell]} == {"rank"}

    def test_where_all_code_changed_every_method_is(self, job: Job, monkeypatch) -> None:
        before = {cell: settings_text(job, cell) for cell in job.cells}
        monkeypatch.setattr(plan, "REVISION", plan.REVISION + 1)
        assert all(settings_text(job, cell) != before[cell] for cell in job.cells)

    def test_it_is_json(self, job: Job) -> None:
        found = json.loads(settings_text(job, next(cell for cell in job.cells if cell.method == "llp")))
        assert found.keys() == {"revision", "precision", "split", "teacher", "contexts", "student"}
        assert found["split"]["new_node_share"] == 0.3
