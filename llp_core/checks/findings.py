"""What the checks found: as objects, as JSON, as pages, and as the error that stops a stage."""

import dataclasses
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llp_core import paths, store
from llp_core.errors import CheckFailed

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuiteValidationResult

OFFENDERS = 5
"""At most this many are named for a check."""


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        check: its name, unique within the table.
        table: nodes, edges, split_sizes, split, training_nodes, score_sizes, context_scores or edge_scores.
        column: of the table that was looked at; "rows" where the check counts rows.
        passed: whether what is expected holds.
        unexpected: how many rows break it; of a check on the whole table, 1 if it fails.
        rows: how many the table has.
        offenders: up to five of the rows that break it, by the user's ids where they are known.
        observed: the figure that a check on the whole table looks at, or the share of the rows that hold where
            not all need to; else None.
        expected: what must hold, in words.
        remedy: what to do when it does not.
    """

    check: str
    table: str
    column: str
    passed: bool
    unexpected: int
    rows: int
    offenders: tuple[str, ...]
    observed: int | float | None
    expected: str
    remedy: str

    def __str__(self) -> str:
        """One paragraph: the check, what it expects, what it found, what to do."""
        where = f"table {self.table}" if self.column == "rows" else f"table {self.table}, column {self.column}"
        return f"{self.check} ({where}): expected that {self.expected}; {self.found}. {self.remedy}"

    @property
    def found(self) -> str:
        """What was found, in words: a figure, or how many rows break the rule and which."""
        if self.offenders:
            such_as = ", such as" if self.unexpected > len(self.offenders) else ":"
            return f"{self.unexpected} of {self.rows} rows break this{such_as} {'; '.join(self.offenders)}"
        if self.observed is not None:
            return f"found {self.observed:g}"
        return f"holds for all {self.rows} rows" if self.passed else "found no number"


@dataclass(frozen=True)
class Findings:
    """What a set of checks found.

    Attributes:
        checks: one for each check.
        results: of Great Expectations, one for each table, to make Data Docs from.
    """

    checks: tuple[Finding, ...]
    results: "tuple[ExpectationSuiteValidationResult, ...]" = ()

    @property
    def passed(self) -> bool:
        """Whether all checks hold."""
        return all(finding.passed for finding in self.checks)

    @property
    def failed(self) -> tuple[Finding, ...]:
        """Those that do not hold."""
        return tuple(finding for finding in self.checks if not finding.passed)

    @property
    def told(self) -> str:
        """What failed, a line for each check; empty where all hold."""
        return "\n".join(f"- {finding}" for finding in self.failed)

    def __add__(self, other: "Findings") -> "Findings":
        return Findings(self.checks + other.checks, self.results + other.results)

    def require(self, stage: str) -> None:
        """Stops a stage whose checks do not all hold.

        Args:
            stage: its name, with the setting where it has one, e.g. "split-production".

        Raises:
            CheckFailed: names each check that failed. The findings are kept in `paths.FAILED_CHECKS` / stage,
                until a later call finds that all hold.
        """
        folder = paths.FAILED_CHECKS / stage
        if self.passed:
            shutil.rmtree(folder, ignore_errors=True)
            return
        with store.new_folder(folder, {"stage": stage}) as temporary:
            write_findings(self, temporary)
        head = f"{stage}: {len(self.failed)} of {len(self.checks)} checks failed; to look at: {folder / 'index.html'}"
        raise CheckFailed(f"{head}\n{self.told}")


def write_findings(findings: Findings, folder: Path) -> None:
    """Writes findings.json and the Data Docs, index.html, into a folder that exists. Same findings, same bytes."""
    from llp_core.checks.data_docs import data_docs

    store.write_json(folder / "findings.json", to_json(findings))
    with store.atomic_file(folder / "index.html") as temporary:
        temporary.write_text(data_docs(findings), encoding="utf-8")


def to_json(findings: Findings) -> dict[str, Any]:
    """What findings.json holds: `passed`, and `checks` with the fields of `Finding`."""
    return {"passed": findings.passed, "checks": [dataclasses.asdict(finding) for finding in findings.checks]}
