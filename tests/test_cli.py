"""The command line: what it prints, what it changes, and how it ends."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from llp_command import llp
from typer.testing import CliRunner
from untuned_params import copy_untuned

from llp_core.cli.app import EXIT_CODES, app
from llp_core.cli.names import choices
from llp_core.cli.params_file import change_params, known_settings, parse_assignments
from llp_core.config import load_params
from llp_core.errors import INTERRUPTED, TERMINATED, CheckFailed, InputError, LLPError
from llp_core.names import SETTINGS

ROOT = Path(__file__).parents[1]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the committed params.yaml, with nothing tuned, as the current one."""
    copy_untuned(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys, json\nsys.argv = ['llp', '--help']\nfrom llp_core.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "Exit codes:" in done.stdout
    modules = set(json.loads(done.stdout.splitlines()[-1]))
    assert not modules & {"torch", "torch_geometric", "prefect", "dvc", "pandas", "numpy", "pydantic", "matplotlib"}


@pytest.mark.parametrize(
    "command",
    [
        ["run-flow"],
        ["run-flow", "full"],
        ["stage"],
        ["status"],
        ["report"],
        ["bench"],
        ["bench", "latency"],
        ["dataset"],
        ["dataset", "list"],
        ["dataset", "show"],
        ["dataset", "debian"],
        ["params"],
        ["params", "show"],
        ["params", "check"],
    ],
    ids=" ".join,
)
def test_every_command_has_help(command: list[str]) -> None:
    result = CliRunner().invoke(app, [*command, "--help"])
    assert result.exit_code == 0
    assert "Usage: " in result.output


def test_version() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.output) == (0, "llp 0.1.0\n")


def test_help_and_docs_name_the_same_exit_codes() -> None:
    told = re.findall(r"(\d+) [a-z]", EXIT_CODES)
    assert told == re.findall(r"(?m)^\| (\d+) \|", (ROOT / "docs/cli.md").read_text())
    assert {str(code) for code in (LLPError.exit_code, InputError.exit_code, INTERRUPTED, TERMINATED)} < set(told)


def test_no_arguments_show_help(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert llp(monkeypatch) == 2
    assert "Usage: llp" in "".join(capsys.readouterr())


class TestErrors:
    def test_input_error_is_one_paragraph(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert llp(monkeypatch, "params", "check") == 3
        assert capsys.readouterr().err == (
            "params.yaml: not found. Run llp in the project's folder, the one that holds dvc.yaml and params.yaml.\n"
        )

    def test_debug_shows_the_traceback(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert llp(monkeypatch, "--debug", "params", "check") == 3
        assert "Traceback (most recent call last)" in capsys.readouterr().err

    def test_a_failed_check_has_its_own_code(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def fail(name: str, setting: str | None) -> None:
            raise CheckFailed("edges: 3 self loops")

        monkeypatch.setattr("llp_core.stages.run_stage", fail)
        assert llp(monkeypatch, "stage", "validate") == 4
        assert capsys.readouterr().err == "edges: 3 self loops\n"

    def test_an_unexpected_error_is_one_line(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def fail(name: str, setting: str | None) -> None:
            raise ZeroDivisionError("division by zero")

        monkeypatch.setattr("llp_core.stages.run_stage", fail)
        assert llp(monkeypatch, "stage", "validate") == 1
        assert capsys.readouterr().err == (
            "ZeroDivisionError: division by zero. Run again with `llp --debug ...` to see where.\n"
        )

    def test_an_interrupt(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        def interrupt(name: str, setting: str | None) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("llp_core.stages.run_stage", interrupt)
        assert llp(monkeypatch, "stage", "validate") == 130
        assert capsys.readouterr().err.startswith("Interrupted.")

    @pytest.mark.parametrize(
        "arguments",
        [
            ["stage", "split", "--setting", "production_"],
            ["run-flow", "full", "--setting", "production_"],
            ["report", "--setting", "production"],
            ["nonsense"],
        ],
        ids=" ".join,
    )
    def test_wrong_usage(self, monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
        assert llp(monkeypatch, *arguments) == 2

    def test_a_stage_that_is_not_known(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert llp(monkeypatch, "stage", "spilt") == 3
        assert capsys.readouterr().err.startswith("spilt: no such stage")


def test_a_setting_named_twice_counts_once() -> None:
    each_once = choices(SETTINGS)["callback"]
    assert each_once(["production", "cold_start", "production"]) == ["production", "cold_start"]
    assert each_once(None) is None


class TestParams:
    def test_show_names_value_and_meaning(self, project: Path) -> None:
        result = CliRunner().invoke(app, ["params", "show", "student.m"])
        assert result.exit_code == 0
        assert "student.methods = [label, llp]\n    Which students to train.\n" in result.output
        assert "student.margin = 0.5\n    Of the rank loss, " in result.output
        names = [line for line in result.output.splitlines() if line and not line.startswith(" ")]
        assert all(name.startswith("student.m") for name in names), names

    @pytest.mark.parametrize(
        ("name", "hint"),
        [("studnet", "Did you mean student? "), ("student.margn", "Did you mean student.margin? "), ("?", "")],
    )
    def test_show_what_is_not_known(
        self,
        project: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        name: str,
        hint: str,
    ) -> None:
        assert llp(monkeypatch, "params", "show", name) == 3
        assert capsys.readouterr() == (
            "",
            f"No setting begins with {name!r}. {hint}The sections are run, data, validate, split, teacher, contexts, "
            "student, latency, gate, tuned.\n",
        )

    def test_every_setting_of_the_file_is_known(self) -> None:
        def keys(values: object, prefix: str = "") -> set[str]:
            if prefix in known_settings() or not isinstance(values, dict):
                return {prefix}
            return set().union(*(keys(value, f"{prefix}.{key}" if prefix else key) for key, value in values.items()))

        assert keys(yaml.safe_load((ROOT / "params.yaml").read_text())) == set(known_settings())

    def test_check_passes(self, project: Path) -> None:
        result = CliRunner().invoke(app, ["params", "check"])
        assert result.output == f"params.yaml: all {len(known_settings())} settings hold what they must.\n"

    def test_check_fails(
        self, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        text = (project / "params.yaml").read_text()
        (project / "params.yaml").write_text(text.replace("margin: 0.5", "margin: -2"))
        assert llp(monkeypatch, "params", "check") == 3
        assert "student.margin" in capsys.readouterr().err

    def test_a_change_keeps_the_rest_of_the_file(self, project: Path) -> None:
        path = project / "params.yaml"
        before = path.read_text()
        values = parse_assignments(["student.margin=0.2", "data.name=cora", "student.methods=[llp]"])
        changes = change_params(path, values)
        assert [(change.key, change.before, change.after) for change in changes] == [
            ("data.name", "debian", "cora"),
            ("student.methods", ["label", "llp"], ["llp"]),
            ("student.margin", 0.5, 0.2),
        ]
        expected = before.replace("margin: 0.5", "margin: 0.2").replace("name: debian #", "name: cora   #")
        assert path.read_text() == expected.replace("methods: [label, llp]", "methods: [llp]")

    def test_setting_what_is_set_leaves_the_file_alone(self, project: Path) -> None:
        path = project / "params.yaml"
        before = path.stat().st_mtime_ns
        assert change_params(path, {"student.margin": 0.5, "data.mirror": None}) == []
        assert path.stat().st_mtime_ns == before

    def test_null_is_written_as_null(self, project: Path) -> None:
        change_params(project / "params.yaml", {"data.mirror": "/somewhere"})
        change_params(project / "params.yaml", parse_assignments(["data.mirror=null"]))
        assert "\n  mirror: null " in (project / "params.yaml").read_text()

    def test_a_column_of_ones_own(self, project: Path) -> None:
        change_params(project / "params.yaml", {"data.files.columns.age": "number"})
        assert load_params(project / "params.yaml").data.files.columns == {"age": "number"}

    @pytest.mark.parametrize("name", ["no", "on", "yes", "Off", "y", "1e", "0x", "'7'", '"true"'])
    def test_a_name_that_looks_like_a_value_keeps_its_text(self, project: Path, name: str) -> None:
        from dvc.utils.serialize import load_yaml

        text = name.strip("'\"")
        values = parse_assignments([f"data.files.id={name}", f"data.files.columns={{{name}: ignore}}"])
        change_params(project / "params.yaml", values)
        files = load_params(project / "params.yaml").data.files
        assert (files.id, files.columns) == (text, {text: "ignore"})
        assert load_yaml(project / "params.yaml")["data"]["files"]["id"] == text
        assert change_params(project / "params.yaml", values) == []

    @pytest.mark.parametrize(
        ("assignment", "message"),
        [
            ("data.files.id=true", "data.files.id: Input should be a valid string, got True"),
            ("student.margn=0.2", "student.margn is not a setting. Did you mean student.margin"),
            ("student=1", "student is not a setting. Did you mean student.layers or"),
            ("zzz=1", "zzz is not a setting. `llp params show` lists those that are."),
            ("student.margin.deep=1", "student.margin.deep is not a setting."),
            ("student.margin=-7", "student.margin: Input should be greater than 0, got -7"),
            ("tuned.production=1", "tuned.production is not a setting. Did you mean tuned.production.teacher or"),
            ("tuned.production.student.margn=1", "tuned.production.student.margn is not a setting."),
            ("tuned.production.student.margin=-7", "tuned.production.student.margin: Input should be greater than 0"),
            ("tuned.production.student.methods=[llp]", "tuned.production.student.methods: holds for every setting"),
            ("tuned.production.student=3", "tuned.production.student: Input should be a valid dictionary, got 3"),
            ("data.name=coraa", "data set 'coraa' is not known. Did you mean cora"),
            ("student.margin", "expected section.key=value, such as --set student.margin=0.2."),
            ("student.methods=[llp", "is not readable as YAML"),
            ("data.name=2026-13-45", "'2026-13-45' is not readable as YAML: month must be in 1..12"),
        ],
    )
    def test_a_wrong_change_writes_nothing(self, project: Path, assignment: str, message: str) -> None:
        before = (project / "params.yaml").read_bytes()
        with pytest.raises(InputError) as error:
            change_params(project / "params.yaml", {"run.seed": 7} | parse_assignments([assignment]))
        assert message in str(error.value)
        assert (project / "params.yaml").read_bytes() == before
        assert [path.name for path in project.iterdir()] == ["params.yaml"]


class TestDatasets:
    def test_list(self) -> None:
        result = CliRunner().invoke(app, ["dataset", "list"])
        rows = {line.split()[0]: line.split()[1:4] for line in result.output.splitlines()[1:]}
        assert rows["cora"] == ["2,708", "5,278", "1,433"]
        assert rows["files"] == ["-", "-", "-"]

    def test_show(self) -> None:
        result = CliRunner().invoke(app, ["dataset", "show", "cora"])
        assert "nodes      2,708\n" in result.output
        assert "new nodes  30% in production and cold start\n" in result.output

    def test_show_what_is_not_known(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert llp(monkeypatch, "dataset", "show", "coraa") == 3

    def test_debian(self, tmp_path: Path) -> None:
        """A ring of 150 packages, each of which depends on the next."""
        packages = tmp_path / "Packages"
        packages.write_text(
            "\n".join(
                f"Package: python3-p{number}\nSection: python\nMaintainer: A\nDescription: words of python\n"
                f"Depends: python3-p{(number + 1) % 150}\n"
                for number in range(150)
            )
        )
        output = tmp_path / "graph"
        result = CliRunner().invoke(
            app, ["dataset", "debian", "--section", "python", "--packages", str(packages), "--output", str(output)]
        )
        assert "nodes: 150\nedges: 150\n" in result.output
        assert result.output.endswith(f"written to {output}\n")
        assert (output / "edges.parquet").is_file()


class TestReport:
    def test_the_last_one_is_shown(self, project: Path) -> None:
        folder = project / "data" / "report"
        folder.mkdir(parents=True)
        (folder / "report.md").write_text("# A report")
        result = CliRunner().invoke(app, ["report"])
        assert result.output == f"# A report\nThe page: {folder / 'index.html'}\n"

    def test_there_is_none(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert llp(monkeypatch, "report") == 3

    def test_a_folder_of_something_else_is_not_replaced(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (project / "mine").mkdir()
        (project / "mine" / "thesis.txt").write_text("years of work")
        assert llp(monkeypatch, "report", "--output", "mine") == 3
        assert (project / "mine" / "thesis.txt").read_text() == "years of work"

    @pytest.mark.parametrize("made", [None, "no JSON", "[]", '{"stage": "bench latency"}'])
    def test_a_page_called_report_is_no_report(
        self, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], made: str | None
    ) -> None:
        (project / "docs").mkdir()
        (project / "docs" / "report.md").write_text("# The report")
        if made is not None:
            (project / "docs" / "made.json").write_text(made)
        assert llp(monkeypatch, "report", "--output", "docs") == 3
        assert (
            capsys.readouterr().err == "docs: it exists and is no earlier output of `llp report`. Name a new folder.\n"
        )
        assert (project / "docs" / "report.md").read_text() == "# The report"

    def test_a_file_is_not_replaced(
        self, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert llp(monkeypatch, "report", "--output", "params.yaml") == 3
        assert capsys.readouterr().err.startswith("params.yaml: it exists and is no earlier output of `llp report`.")


class TestCompletion:
    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            ("llp stage te", ["teacher", "teacher_scores"]),
            ("llp stage split --setting co", ["cold_start"]),
            ("llp run-flow full --setting p", ["production"]),
            ("llp run-flow full --dataset cite", ["citeseer"]),
            ("llp run-flow full --set student.mar", ["student.margin="]),
            ("llp run-flow full --set tuned.production.student.mar", ["tuned.production.student.margin="]),
            ("llp run-flow full --set tuned.cold_start.student.met", []),
            ("llp params show late", ["latency", "latency.pairs", "latency.seconds", "latency.max_requests"]),
        ],
    )
    def test_values(self, words: str, expected: list[str]) -> None:
        environment = {"_LLP_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
        result = CliRunner().invoke(app, [], env=environment, prog_name="llp")
        assert result.output.split() == expected


def test_who_is_told_to_end_leaves_no_unfinished_file(tmp_path: Path) -> None:
    code = (
        "import os, signal\nfrom pathlib import Path\n"
        "from llp_core.cli import app\nfrom llp_core.store import atomic_file\n"
        "def write(prog_name):\n"
        "    with atomic_file(Path('big.csv')) as file:\n"
        "        file.write_text('half')\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "app.app = write\napp.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (143, "", "")
    assert list(tmp_path.iterdir()) == []
