"""The picture of docs/results.md."""

from typing import TYPE_CHECKING

from llp_core.names import SETTINGS, TEACHER, Setting
from llp_core.paper.results import Results
from llp_core.report.blocks import Panel, Picture
from llp_core.report.figures import METHOD_NAMES, SETTING_NAMES
from llp_core.report.pictures import INK, STYLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHOWN = (TEACHER, "label", "llp")
_APART = 0.22
"""Between the methods of one data set, which are themselves 1 apart."""


def hits_by_dataset(results: Results) -> Picture:
    """Hits@20 of teacher, plain MLP and LLP with its 95 % interval, a panel for each setting."""

    def panel(setting: Setting) -> Panel:
        return lambda axes: _draw(axes, results, setting)

    alt = "Hits@20 of teacher, plain MLP and LLP on each data set with 95 % intervals, per setting"
    return Picture("results", alt, tuple(panel(setting) for setting in SETTINGS))


def _draw(axes: "Axes", results: Results, setting: Setting) -> None:
    names = [name for name in results.datasets if results.of(name, setting)]
    for shift, method in enumerate(_SHOWN, start=-1):
        found = [(place, results.estimate(name, setting, method)) for place, name in enumerate(names)]
        points = [(place + _APART * shift, one.mean, one.half_width or 0.0) for place, one in found if one is not None]
        if not points:
            continue
        places, means, widths = zip(*points, strict=True)
        color, marker = STYLES[method]
        axes.errorbar(
            places, means, yerr=widths, fmt=marker, color=color, markersize=5, capsize=2, label=METHOD_NAMES[method]
        )
    axes.set_title(SETTING_NAMES[setting])
    axes.set_xticks(range(len(names)), names, rotation=40, ha="right")
    axes.set_ylabel("Hits@20, %")
    axes.set_ylim(0, 1.08 * axes.get_ylim()[1])  # no marker at the top is cut
    axes.grid(axis="y", alpha=0.15, color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    if names:
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.3), ncols=3, frameon=False, columnspacing=1)
