"""What the gate says: whether a candidate comes into use, and why."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

METRIC_NAMES = {"hits_at_20": "Hits@20", "mrr": "MRR"}


@dataclass(frozen=True)
class Rule:
    """One rule and what came of it.

    Attributes:
        name: "production, old-new, Hits@20".
        passed: whether it holds.
        measured: the figure it looks at, in the unit that `reason` gives; None where it looks at no figure.
        bound: that figure's bound, in the same unit.
        reason: in words.
    """

    name: str
    passed: bool
    measured: float | None
    bound: float | None
    reason: str


@dataclass(frozen=True)
class Comparison:
    """The candidate beside another model on the same test edges of one group. Shares lie in 0..1.

    Attributes:
        setting, group: of the test edges.
        metric: hits_at_20 or mrr.
        positives: how many test edges were scored.
        negatives: how many pairs without an edge.
        left_out: test edges and pairs that one of the two was trained on.
        candidate, other: the figures.
        low, high: the 95 % interval of candidate - other.
        judged: whether there were enough test edges to judge by.
    """

    setting: str
    group: str
    metric: str
    positives: int
    negatives: int
    left_out: int
    candidate: float
    other: float
    low: float
    high: float
    judged: bool

    @property
    def difference(self) -> float:
        """Candidate - other."""
        return self.candidate - self.other


@dataclass(frozen=True)
class Verdict:
    """What the gate says of a candidate. The same files give the same verdict.

    Attributes:
        promoted: whether it may come into use.
        candidate: its hash (`llp_core.registry.candidate_hash`).
        settings: a hash of those it was judged by (`llp_core.registry.settings_hash`).
        champion: version of the model in use; None where there is none.
        against: what the candidate was compared with, in words.
        rules: all that were looked at.
        comparisons: a row for each setting, group and metric.
    """

    promoted: bool
    candidate: str
    settings: str
    champion: int | None
    against: str
    rules: tuple[Rule, ...]
    comparisons: tuple[Comparison, ...]

    @property
    def failed(self) -> tuple[Rule, ...]:
        """The rules that do not hold."""
        return tuple(rule for rule in self.rules if not rule.passed)

    @property
    def headline(self) -> str:
        """One sentence."""
        if self.promoted:
            return f"The candidate passes all {len(self.rules)} rules."
        kept = "no model comes into use" if self.champion is None else f"version {self.champion} stays in use"
        return f"The candidate is refused by {len(self.failed)} of {len(self.rules)} rules, and {kept}."

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON has them."""
        return dataclasses.asdict(self)

    def to_markdown(self) -> str:
        """The verdict, its reasons, and the comparison as tables."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield f"**{self.headline}**"
        if not self.promoted:
            yield ""
            yield from (f"- {rule.name}: {rule.reason}" for rule in self.failed)
        yield f"\nCandidate against {self.against}, both on the same test edges, in percent:\n"
        yield "| setting | edges | metric | candidate | other | difference | 95 % interval | test edges | left out |"
        yield "|---|---|---|---:|---:|---:|---|---:|---:|"
        for row in self.comparisons:
            positives = f"{row.positives}" + ("" if row.judged else " (too few to judge)")
            interval = f"{100 * row.low:+.1f} to {100 * row.high:+.1f}"
            yield (
                f"| {row.setting} | {row.group} | {METRIC_NAMES[row.metric]} | {100 * row.candidate:.1f} | "
                f"{100 * row.other:.1f} | {100 * row.difference:+.1f} | {interval} | "
                f"{positives} | {row.left_out} |"
            )
        yield "\n| rule | | why |\n|---|---|---|"
        yield from (f"| {rule.name} | {'holds' if rule.passed else 'broken'} | {rule.reason} |" for rule in self.rules)
