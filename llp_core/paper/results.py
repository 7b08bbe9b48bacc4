"""The rows of the results, looked up by what a table needs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from llp_core.names import ALL_EDGES, Setting
from llp_core.paper.cells import Row
from llp_core.paper.plan import ALL_METHODS, ground_of
from llp_core.paper.statistics import Estimate, estimate, paired_difference

HEADLINE = "hits_at_20"
Run = tuple[int, int, str]
"""Seeds of a split and of the models, and what else runs must share to compare."""


@dataclass(frozen=True)
class Results:
    """All cells that were measured.

    Attributes:
        rows: in the order of the Parquet file.
    """

    rows: Sequence[Row]

    @property
    def datasets(self) -> list[str]:
        """Those measured, small ones first."""
        edges = {row["dataset"]: row["all.positives"] for row in self.rows if row["setting"] != "cold_start"}
        return sorted(dict.fromkeys(row["dataset"] for row in self.rows), key=lambda name: edges.get(name, 0))

    def of(self, dataset: str, setting: Setting | None = None, method: str | None = None) -> list[Row]:
        """The rows of a data set, in a setting and of a method if given."""
        return [
            row
            for row in self.rows
            if row["dataset"] == dataset and setting in (None, row["setting"]) and method in (None, row["method"])
        ]

    def methods(self, setting: Setting | None = None) -> list[str]:
        """Those measured, in one setting if given; the teacher first."""
        found = {row["method"] for row in self.rows if setting in (None, row["setting"])}
        return [method for method in ALL_METHODS if method in found]

    def figures(
        self, dataset: str, setting: Setting, method: str, group: str = ALL_EDGES, metric: str = HEADLINE
    ) -> dict[Run, float]:
        """Run -> a metric on a group of test edges, in percent; runs without such edges are left out."""
        return {
            (row["split"], row["seed"], ground_of(row["settings"], method)): 100 * row[f"{group}.{metric}"]
            for row in self.of(dataset, setting, method)
            if row[f"{group}.{metric}"] is not None
        }

    def estimate(self, dataset: str, setting: Setting, method: str, group: str = ALL_EDGES) -> Estimate | None:
        """Hits@20 in percent; None where nothing was measured."""
        return estimate(list(self.figures(dataset, setting, method, group).values()))

    def difference(
        self, dataset: str, setting: Setting, one: str, other: str, group: str = ALL_EDGES, metric: str = HEADLINE
    ) -> Estimate | None:
        """A metric of one method minus another's, in points, paired by split and seed."""
        own, others = (self.figures(dataset, setting, method, group, metric) for method in (one, other))
        return paired_difference(own, others)

    def differences(
        self, setting: Setting, one: str, other: str, group: str = ALL_EDGES, metric: str = HEADLINE
    ) -> dict[str, Estimate]:
        """Data set -> `difference`, of those where both methods were measured."""
        found = {name: self.difference(name, setting, one, other, group, metric) for name in self.datasets}
        return {name: difference for name, difference in found.items() if difference is not None}


def average_of(estimates: Iterable[Estimate]) -> Estimate | None:
    """Over data sets, each counting once whatever its runs; None where there are none."""
    return estimate([one.mean for one in estimates])
