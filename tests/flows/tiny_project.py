"""The tiny project that DVC and Prefect really run."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Project:
    """The tiny project's folder, and what to ask of it."""

    root: Path

    def calls(self) -> list[str]:
        """Addresses of the stages that ran since the last question, in order of their end."""
        log = self.root / "calls.log"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return [line.split()[0] for line in lines]

    def times(self) -> dict[str, tuple[float, float]]:
        """Address -> when the stage started and ended, in seconds."""
        lines = [line.split() for line in (self.root / "calls.log").read_text().splitlines()]
        return {address: (float(started), float(ended)) for address, started, ended in lines}

    def set(self, old: str, new: str) -> None:
        """Replaces a text that stands once in params.yaml."""
        text = (self.root / "params.yaml").read_text()
        assert text.count(old) == 1
        (self.root / "params.yaml").write_text(text.replace(old, new))

    def tell_to_fail(self, address: str, error: str = "RuntimeError", times: int = 99) -> None:
        """Makes a stage fail so many times from now on."""
        with (self.root / "fail.txt").open("a") as told:
            told.write(f"{address} {error} {times}\n")

    def output(self, path: str) -> str:
        """What a stage wrote."""
        return (self.root / "data" / path / "out.json").read_text()

    def dvc_status(self) -> dict[str, object]:
        """What `dvc status` finds stale."""
        from dvc.repo import Repo

        with Repo(str(self.root)) as repo:
            return dict(repo.status())

    def dvc_repro(self) -> list[str]:
        """The stages that `dvc repro` finds stale and runs, each by its command."""
        from dvc.repo import Repo

        with Repo(str(self.root)) as repo:
            return [stage.addressing for stage in repo.reproduce()]
