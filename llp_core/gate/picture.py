"""The picture of a verdict: how far the candidate lies from the model in use, group by group."""

from typing import TYPE_CHECKING

from llp_core.gate.verdict import METRIC_NAMES, Verdict
from llp_core.names import SETTINGS, Setting
from llp_core.report.blocks import Panel, Picture
from llp_core.report.figures import SETTING_NAMES
from llp_core.report.pictures import INK, png_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_STYLES = {"hits_at_20": ("#1f9d55", "D"), "mrr": ("#3b82f6", "o")}
_APART = 0.2


def verdict_png(verdict: Verdict) -> bytes:
    """Differences in points with their 95 % intervals, a panel for each setting; groups too small to judge are pale."""

    def panel(setting: Setting) -> Panel:
        return lambda axes: _draw(axes, verdict, setting)

    alt = f"Candidate minus {verdict.against}, in points"
    return png_file(Picture("verdict", alt, tuple(panel(setting) for setting in SETTINGS)))


def _draw(axes: "Axes", verdict: Verdict, setting: Setting) -> None:
    rows = [row for row in verdict.comparisons if row.setting == setting]
    groups = list(dict.fromkeys(row.group for row in rows))
    for shift, (metric, (color, marker)) in enumerate(_STYLES.items()):
        for row in (row for row in rows if row.metric == metric):
            place = groups.index(row.group) + _APART * (shift - 0.5)
            widths = [[100 * (row.difference - row.low)], [100 * (row.high - row.difference)]]
            label = METRIC_NAMES[metric] if row.group == groups[0] else None
            axes.errorbar(
                [place],
                [100 * row.difference],
                yerr=[[max(0.0, width) for width in side] for side in widths],
                fmt=marker,
                color=color,
                alpha=1.0 if row.judged else 0.35,
                markersize=5,
                capsize=3,
                label=label,
            )
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.set_title(SETTING_NAMES[setting])
    axes.set_xticks(range(len(groups)), groups)
    axes.set_xlim(-0.6, max(len(groups), 1) - 0.4)
    axes.set_ylabel("candidate - other, points")
    axes.grid(axis="y", alpha=0.15, color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    if groups:
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2, frameon=False)
