"""Pictures of a run, drawn with matplotlib's objects: no pyplot, no state shared between threads.

In a page the ink is `currentColor` and the ground transparent, so that a picture follows the page's colours.
"""

import html
import io
import re
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llp_core.names import ALL_EDGES, TEACHER
from llp_core.report.blocks import Panel, Picture
from llp_core.report.context import Epoch, SettingResult
from llp_core.report.figures import METHOD_NAMES, SETTING_NAMES, figure, middle_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.ticker import MaxNLocator

STYLES: Mapping[str, tuple[str, str]] = {
    TEACHER: ("#d9730d", "s"),
    "label": ("#3b82f6", "o"),
    "logit": ("#8b5cf6", "v"),
    "representation": ("#d946a8", "^"),
    "rank": ("#a3862b", "P"),
    "distribution": ("#0d9aa8", "X"),
    "llp": ("#1f9d55", "D"),
}
"""Method -> colour and marker; colours that can be told apart on white and on black."""

INK = "#1c1e21"

_SETTINGS: dict[Any, Any] = {
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK),
    **dict.fromkeys(("figure.facecolor", "axes.facecolor"), "none"),
    "savefig.facecolor": "auto",
    "svg.hashsalt": "llp",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "axes.titlesize": 11,
    "legend.fontsize": 9,
}

# rc_context changes matplotlib's settings for the whole process while it is open.
_SAVING = threading.Lock()


def quality_latency(results: Sequence[SettingResult]) -> Picture:
    """Quality against latency, one panel for each setting (as Figure 3 of the paper, arXiv 2210.05801)."""

    def panel(result: SettingResult) -> Panel:
        return lambda axes: _draw_quality_latency(axes, result)

    alt = "Hits@20 against the median time of an online request; up and to the left is better"
    return Picture("quality_latency", alt, tuple(panel(result) for result in results))


def training(result: SettingResult) -> Picture:
    """Loss and validation score by epoch, of every teacher candidate and student."""
    name = SETTING_NAMES[result.setting]
    return Picture(
        f"training_{result.setting}",
        f"{name}: loss, and validation score, by epoch",
        (lambda axes: _draw_losses(axes, result), lambda axes: _draw_validation(axes, result)),
    )


def page_svgs(picture: Picture) -> list[str]:
    """An SVG element for each panel, for a page that holds them all."""
    return [
        _embedded(
            _saved([panel], picture.size, "svg").decode(), f"{picture.name}-{number}", f"{picture.alt} ({number})"
        )
        for number, panel in enumerate(picture.panels, start=1)
    ]


def svg_file(picture: Picture) -> bytes:
    """All panels as one SVG file on a white ground, with letters as outlines: it looks the same anywhere."""
    return _saved(picture.panels, picture.size, "svg", **{"svg.fonttype": "path", "figure.facecolor": "white"})


def png_file(picture: Picture) -> bytes:
    """All panels as one PNG on a white ground."""
    return _saved(picture.panels, picture.size, "png", **{"figure.facecolor": "white"})


def _draw_quality_latency(axes: "Axes", result: SettingResult) -> None:
    size = middle_size(result)
    shown = []
    for method in result.methods:
        hits = figure(result.evaluation, method, ALL_EDGES)
        try:
            seconds = result.latency.row(method, "online", size).p50_seconds
        except KeyError:
            continue
        if hits is None:
            continue
        color, marker = STYLES[method]
        axes.plot([1e3 * seconds], [100 * hits], marker, color=color, markersize=9, label=METHOD_NAMES[method])
        shown.append((1e3 * seconds, 100 * hits))
    axes.set_title(SETTING_NAMES[result.setting])
    axes.set_xscale("log")
    plain_ticks(axes.xaxis)
    axes.set_xlabel(f"milliseconds for {size:,} pair{'s' * (size > 1)}, online, median")
    axes.set_ylabel("Hits@20, %")
    if shown:
        times, hits_shown = zip(*shown, strict=True)
        axes.set_xlim(min(times) / 2.5, max(times) * 2.5)
        axes.set_ylim(max(0, min(hits_shown) - 5) - 0.5, min(100, max(hits_shown) + 5) + 0.5)
    finish(axes)


def _draw_losses(axes: "Axes", result: SettingResult) -> None:
    for label, style, epochs in _curves(result):
        axes.plot([epoch.epoch for epoch in epochs], [epoch.loss for epoch in epochs], label=label, **style)
    axes.set_title(f"{SETTING_NAMES[result.setting]}: loss")
    axes.set_yscale("log")
    plain_ticks(axes.yaxis)
    axes.xaxis.set_major_locator(_whole_numbers())
    axes.set_xlabel("epoch")
    axes.set_ylabel("training loss")
    finish(axes)


def _draw_validation(axes: "Axes", result: SettingResult) -> None:
    for label, style, epochs in _curves(result):
        seen = [(epoch.epoch, 100 * epoch.valid_score) for epoch in epochs if epoch.valid_score is not None]
        if not seen:
            continue
        numbers, hits = zip(*seen, strict=True)
        axes.plot(numbers, hits, label=label, **style)
        best = hits.index(max(hits))
        axes.plot([numbers[best]], [hits[best]], "o", color=style["color"], markersize=5)
    axes.set_title(f"{SETTING_NAMES[result.setting]}: validation")
    axes.xaxis.set_major_locator(_whole_numbers())
    axes.set_xlabel("epoch (a dot marks the best)")
    axes.set_ylabel("validation score, %")
    finish(axes)


def _curves(result: SettingResult) -> list[tuple[str, dict[str, Any], tuple[Epoch, ...]]]:
    """Label, style and epochs of each curve; teachers that were not kept are thin."""
    curves = []
    for method, one in result.training.items():
        for number, epochs in one.candidates.items():
            several = len(one.candidates) > 1
            label = METHOD_NAMES[method] + (f" {number + 1}" if several else "")
            style = {"color": STYLES[method][0], "linewidth": 1.4, "alpha": 1.0}
            if number != one.chosen.candidate:
                style |= {"linewidth": 0.8, "alpha": 0.6}
            curves.append((label, style, epochs))
    return curves


def plain_ticks(axis: "Axis") -> None:
    """1, 2, 5, 10 rather than powers of ten, which name too few values of a short range."""
    from matplotlib.ticker import LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def _whole_numbers() -> "MaxNLocator":
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(integer=True)


def finish(axes: "Axes") -> None:
    """A faint grid, no box, and the legend below."""
    axes.grid(alpha=0.15, color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        axes.legend(
            handles, labels, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=3, frameon=False, columnspacing=1
        )


def _saved(panels: Sequence[Panel], size: tuple[float, float], kind: str, **settings: Any) -> bytes:
    """The panels side by side as a file of `kind`, the same bytes each time."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    width, height = size
    buffer = io.BytesIO()
    with _SAVING, rc_context(_SETTINGS | settings):
        drawing = Figure(figsize=(width * len(panels), height), layout="constrained")
        for axes, panel in zip(drawing.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            panel(axes)
        metadata = dict.fromkeys(("Date", "Creator", "Format", "Type")) if kind == "svg" else {"Software": None}
        drawing.savefig(buffer, format=kind, metadata=metadata, dpi=150)
    return buffer.getvalue()


def _embedded(svg: str, prefix: str, alt: str) -> str:
    """An SVG file as an element of a page: its ids its own, its ink the page's, its size up to the reader."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", svg)
    svg = svg.replace(INK, "currentColor").replace("'DejaVu Sans'", "inherit")
    return svg.replace("<svg ", f'<svg role="img" aria-label="{html.escape(alt)}" ', 1)
