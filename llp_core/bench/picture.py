"""Pictures of a benchmark: quality against latency, and the time of every contestant."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from llp_core.bench.result import Benchmark
from llp_core.report.blocks import Picture
from llp_core.report.pictures import finish, plain_ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS: Mapping[str, str] = {
    "GNN": "#d9730d",
    "GNN in PyG": "#c2414b",
    "accelerated GNN": "#a3862b",
    "GNN, cached": "#8b5cf6",
    "student": "#1f9d55",
    "student, cached": "#0f766e",
    "heuristic": "#3b82f6",
}
"""Of families; told apart on white and on black."""
_OTHER = "#5f6672"
_MARKERS = "osDv^PX*<>"


def quality_latency(found: Benchmark) -> Picture:
    """Quality against latency of the middle request size (as Figure 3 of the paper, arXiv 2210.05801)."""
    size = found.sizes[len(found.sizes) // 2]
    alt = "Hits@20 against the median time of an online request; up and to the left is better"
    return Picture("quality_latency", alt, (lambda axes: _draw_quality(axes, found, size),), size=(8.0, 5.4))


def times(found: Benchmark) -> Picture:
    """The median online time of every contestant, a mark for each request size."""
    names = list(dict.fromkeys(row.method for row in found.of("online")))
    alt = f"Median time of an online request, a mark for each size: {_sizes(found)} pairs"
    height = 1.4 + 0.26 * len(names)
    return Picture("times", alt, (lambda axes: _draw_times(axes, found, names),), size=(8.0, height))


def _draw_quality(axes: "Axes", found: Benchmark, size: int) -> None:
    seen: dict[str, int] = {}
    for row in found.of("online", size):
        if row.hits_at_20 is None:
            continue
        marker = _MARKERS[seen.setdefault(row.family, 0) % len(_MARKERS)]
        seen[row.family] += 1
        color = COLORS.get(row.family, _OTHER)
        x, y = 1e3 * row.p50_seconds, 100 * row.hits_at_20
        axes.plot([x], [y], marker, color=color, markersize=8, alpha=0.85, label=row.method)
    axes.set_xscale("log")
    plain_ticks(axes.xaxis)
    axes.set_xlabel(f"milliseconds for {size:,} pair{'s' * (size > 1)}, online, median")
    axes.set_ylabel("Hits@20, %")
    finish(axes)


def _draw_times(axes: "Axes", found: Benchmark, names: list[str]) -> None:
    for place, name in enumerate(names):
        rows = [row for row in found.of("online") if row.method == name]
        color = COLORS.get(rows[0].family, _OTHER)
        medians = [1e3 * row.p50_seconds for row in rows]
        axes.plot(medians, [place] * len(medians), "o-", color=color, markersize=5, linewidth=1.2)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel(f"milliseconds, median; {_sizes(found)} pairs a request")
    finish(axes)


def _sizes(found: Benchmark) -> str:
    return ", ".join(f"{size:,}" for size in found.sizes)
