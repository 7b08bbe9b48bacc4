"""Seconds and peak memory of each stage against the size of the graph: 10^4 to 10^6 nodes of the same mean degree.

    .venv/bin/python benchmarks/scaling.py --largest 100000
    .venv/bin/python benchmarks/scaling.py --stage prepare --stage split --stage contexts --folder data/scaling-three

The graphs are those of `llp_core.datasets.shapes`: mean degree 8, 128 features. The setting is transductive, and the
settings are those of params.yaml but for these: one epoch of training, the teacher's with sampled neighbourhoods at
every size; three rounds of contexts; short requests in `latency`, whose offline part is what grows. Left out is
`download`, which has nothing to bring.

Each stage runs in a process of its own: first on a graph of 1,000 nodes, for the imports, then on the one that counts,
up to five times while all runs together take less than half a minute; the seconds are their median. What that small
graph takes after its first run is what the stage takes whatever the size. It is taken off before the slope is fitted,
over the sizes where what is left is more. Peak memory is that of the whole process up to the end of the first run.

What is measured is kept in --folder, and the same command goes on where it was; remove the folder to measure anew.
One JSON line last.
"""

import argparse
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from llp_core import paths
from llp_core.datasets.shapes import Shape, write_shape
from llp_core.machine import forget_peak_memory, machine, peak_memory_mb
from llp_core.processes import reuse_memory
from llp_core.report.blocks import Picture
from llp_core.report.pictures import INK, finish, svg_file
from llp_core.stages import STAGES, run_stage
from llp_core.store import atomic_file, new_folder, read_json, write_json

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROOT = Path(__file__).parents[1]
WARM = 1_000
SIZES = (10_000, 31_623, 100_000, 316_228, 1_000_000)
MEAN_DEGREE, FEATURES = 8, 128
SETTING = "transductive"
MEASURED = tuple(name for name in STAGES if name != "download")
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "data": {"name": "collab-shape"},
    "teacher": {"max_epochs": 1, "batching": "sampled", "candidates": 1},
    "contexts": {"rounds": 3},
    "student": {"max_epochs": 1},
    "latency": {"seconds": 0.05},
    "tuned": {SETTING: {"teacher": {}, "contexts": {}, "student": {}}},
}
Row = Mapping[str, float]
"""Figures of a stage at a size: `seconds` and `memory_mb`."""
Found = Mapping[int, Mapping[str, Row]]
"""Size -> stage -> figures."""
FIGURES = {"seconds": "seconds", "memory_mb": "peak memory, MB"}
SMALLEST: Row = {"seconds": 0.05, "memory_mb": 50.0}
"""What a figure must exceed that of 1,000 nodes by, at least, to count for the slope."""
MOST_RUNS, ENOUGH_SECONDS = 5, 30.0
"""A stage is run again until there are so many runs, or all of them took so long."""


def main() -> None:
    """Measures what is missing, and prints and draws what there is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--largest", type=int, choices=SIZES, default=SIZES[-1], help="nodes; larger sizes are left out"
    )
    parser.add_argument("--folder", type=Path, default=ROOT / "data" / "scaling", help="what is measured is kept here")
    parser.add_argument(
        "--stage", action="append", choices=MEASURED, help="only this one and others named so; name what it builds on"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--picture", type=Path, help="write the picture to this SVG file")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    if arguments.child:
        print(json.dumps(measure(folder, *arguments.child.split("@"))))
        return
    sizes = [size for size in (WARM, *SIZES) if size <= arguments.largest]
    stages = [stage for stage in MEASURED if stage in (arguments.stage or MEASURED)]
    found = {size: measured(folder, size, stages, arguments.threads) for size in sizes}
    for figure, title in FIGURES.items():
        print("\n" + table(found, stages, figure, title))
    if arguments.picture is not None:
        draw(found, stages, arguments.picture)
    settings = {name: values for name, values in SETTINGS.items() if name != "tuned"}
    about = {"settings": settings, "threads": arguments.threads, "machine": asdict(machine())}
    slopes = {figure: {stage: slope(found, stage, figure) for stage in stages} for figure in FIGURES}
    print("\n" + json.dumps({**about, "measured": found, "slopes": slopes}))


def measured(folder: Path, size: int, stages: Sequence[str], threads: int) -> dict[str, Row]:
    """The figures of some stages at a size, measured if they are not there. Its project goes once all are."""
    kept, project = folder / f"{size}.json", folder / str(size)
    found: dict[str, Row] = read_json(kept) if kept.exists() else {}
    if not project.is_dir() and not found.keys() >= set(stages):
        found = {}  # of fewer stages, and what they left is gone
    if not found:
        shutil.rmtree(project, ignore_errors=True)
        make_project(project, size, threads)
    for stage in stages:
        if stage in found:
            continue
        found[stage] = call(folder, stage, size)
        print(
            f"{size:>9,} {stage:<15}{found[stage]['seconds']:>9.2f} s{found[stage]['memory_mb']:>8.0f} MB", flush=True
        )
        write_json(kept, found)
    if size != WARM:
        shutil.rmtree(project, ignore_errors=True)
    return found


def make_project(project: Path, size: int, threads: int) -> None:
    """A project folder with settings and raw files."""
    (project / paths.RAW).mkdir(parents=True)
    write_shape(project / paths.RAW, Shape(size, size * MEAN_DEGREE // 2, FEATURES))
    params = yaml.safe_load((ROOT / paths.PARAMS).read_text(encoding="utf-8"))
    params["run"] |= {"threads": threads, "device": "cpu"}
    for section, values in SETTINGS.items():
        params[section] |= values
    (project / paths.PARAMS).write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")


def call(folder: Path, stage: str, size: int) -> Row:
    """The figures of a stage, from a process of its own. What it logs goes to stderr."""
    command = [sys.executable, "-W", "ignore", __file__, "--folder", str(folder), "--child", f"{stage}@{size}"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    row: Row = json.loads(done.stdout)
    return row


def measure(folder: Path, stage: str, size: str) -> Row:
    """Runs a stage on the small graph, then on that of a size."""
    reuse_memory()  # as the command line does
    run(folder / str(WARM), stage)
    forget_peak_memory()
    seconds = [timed(folder / size, stage)]
    peak = peak_memory_mb()
    while len(seconds) < MOST_RUNS and sum(seconds) < ENOUGH_SECONDS:
        seconds.append(timed(folder / size, stage))
    return {"seconds": statistics.median(seconds), "memory_mb": peak}


def timed(project: Path, stage: str) -> float:
    """Seconds of a stage in a project's folder."""
    started = time.perf_counter()
    run(project, stage)
    return time.perf_counter() - started


def run(project: Path, stage: str) -> None:
    """Runs a stage in a project's folder; the report is of one setting."""
    os.chdir(project)
    if stage != "report":
        run_stage(stage, SETTING if STAGES[stage].per_setting else None)
        return
    from llp_core.report import load_context, write_report

    with new_folder(paths.REPORT, {"stage": "report"}) as folder:
        write_report(folder, load_context(Path(), [SETTING]))


def slope(found: Found, stage: str, figure: str) -> float | None:
    """By which power of the nodes a figure grows, without its part at the smallest graph; None for too few sizes."""
    fixed = found[WARM][stage][figure]
    grown = {size: rows[stage][figure] - fixed for size, rows in found.items()}
    points = [(math.log(size), math.log(rest)) for size, rest in grown.items() if rest > max(fixed, SMALLEST[figure])]
    return float(np.polyfit(*zip(*points, strict=True), 1)[0]) if len(points) > 1 else None


def table(found: Found, stages: Sequence[str], figure: str, title: str) -> str:
    """Markdown: a row each stage, a column each size, and the slope."""
    lines = ["| " + " | ".join([title, *(f"{size:,}" for size in found), "slope"]) + " |"]
    lines.append("|---|" + "---:|" * (len(found) + 1))
    for stage in stages:
        figures = [rows[stage][figure] for rows in found.values()]
        power = slope(found, stage, figure)
        cells = [*(f"{value:.0f}" if value >= 100 else f"{value:.2g}" for value in figures)]
        lines.append("| " + " | ".join([stage, *cells, "-" if power is None else f"{power:.2f}"]) + " |")
    return "\n".join(lines)


def draw(found: Found, stages: Sequence[str], path: Path) -> None:
    """Writes the picture: a panel each figure, both axes logarithmic, and a line that grows as the nodes do."""

    def panel(axes: "Axes", figure: str, title: str) -> None:
        for number, stage in enumerate(stages):
            values = [rows[stage][figure] for rows in found.values()]
            style = "os^DvPX<>*"[number % 10] + "-"
            axes.plot(list(found), values, style, markersize=4, linewidth=1, label=stage)
        first, last = min(found), max(found)
        middle = np.median([found[last][stage][figure] for stage in stages])
        axes.plot([first, last], [middle * first / last, middle], ":", color=INK, label="slope 1")
        low = min(rows[stage][figure] for rows in found.values() for stage in stages)
        axes.set(xscale="log", yscale="log", xlabel="nodes", ylabel=title, ylim=(low / 1.5, None))
        finish(axes)

    panels = tuple((lambda axes, f=figure, t=title: panel(axes, f, t)) for figure, title in FIGURES.items())
    with atomic_file(path) as temporary:
        temporary.write_bytes(svg_file(Picture("scaling", "Cost of each stage against nodes", panels)))


if __name__ == "__main__":
    main()
