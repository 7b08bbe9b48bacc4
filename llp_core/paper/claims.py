"""What the paper claims, what is to be reached here, and what was measured."""

from collections.abc import Collection, Iterable, Mapping
from typing import Literal

from llp_core.names import ALL_EDGES, SETTINGS, TEACHER, Setting
from llp_core.paper.plan import PLAN
from llp_core.paper.results import Results, average_of
from llp_core.paper.statistics import Estimate
from llp_core.paper.tables import LLP, count_verdicts, told_average
from llp_core.report.blocks import Table
from llp_core.report.figures import ABSENT, METHOD_NAMES, SETTING_NAMES

BASELINES = ("label", "logit", "representation")
_Row = tuple[str, str, str, str, str]
_Reached = Literal["yes", "level", "no", "not known yet"]


def claims_table(results: Results) -> Table:
    """Each claim with the paper's finding, the goal here, what was measured and whether that reaches the goal."""
    rows = [_level_with_teacher(results)]
    rows += [_ahead_of_baselines(results, setting) for setting in SETTINGS]
    rows += [
        _average(results, "cold_start", TEACHER, "+25.29", 25.29),
        _average(results, "cold_start", "label", "+9.42", 9.42),
        _average(results, "production", TEACHER, "near it", 0.0),
        _average(results, "production", "label", "ahead", 0.0),
        _average(results, "production", "label", "ahead", 10.0, "new-new"),
    ]
    caption = "LLP against other methods, Hits@20, differences in points"
    return Table(caption, ("claim", "the paper", "to reach here", "measured", "reached"), tuple(rows))


def _level_with_teacher(results: Results) -> _Row:
    found = results.differences("transductive", LLP, TEACHER)
    claim = "Transductive, against the teacher"
    measured = count_verdicts(found.values())
    return (
        claim,
        "ahead on 7 of 8",
        "ahead or level on all",
        measured,
        _answer(_no_loss(found.values()), {TEACHER: found}),
    )


def _ahead_of_baselines(results: Results, setting: Setting) -> _Row:
    """Of all comparisons with a verdict none may be a loss, and each average must be ahead."""
    found = {other: results.differences(setting, LLP, other) for other in BASELINES}
    every = [difference for differences in found.values() for difference in differences.values()]
    averages = ", ".join(f"{METHOD_NAMES[other]} {told_average(found[other].values())}" for other in BASELINES)
    reached = [_no_loss(every), *(_ahead(found[other].values()) for other in BASELINES)]
    return (
        f"{SETTING_NAMES[setting]}, against plain MLP, logit and representation matching",
        "ahead everywhere" if setting != "cold_start" else "ahead of the plain MLP",
        "ahead or level everywhere, ahead on average",
        f"{count_verdicts(every)}; average: {averages}" if every else ABSENT,
        _answer(_worst(reached), found),
    )


def _average(results: Results, setting: Setting, other: str, paper: str, goal: float, group: str = ALL_EDGES) -> _Row:
    found = results.differences(setting, LLP, other, group)
    average = average_of(found.values())
    reached = _ahead(found.values())
    if goal and average is not None:
        reached = "yes" if average.mean >= goal else "no"
    edges = "" if group == ALL_EDGES else f", {group} edges"
    return (
        f"{SETTING_NAMES[setting]}{edges}, against the {METHOD_NAMES[other]}, average",
        paper,
        f"at least {goal:+g}" if goal else "ahead",
        ABSENT if average is None else f"{told_average(found.values())}; {count_verdicts(found.values())}",
        _answer(reached, {other: found}),
    )


def _no_loss(differences: Iterable[Estimate]) -> _Reached:
    """Whether no comparison that has runs enough for a verdict is a loss."""
    verdicts = {difference.verdict for difference in differences} - {"too few runs"}
    return "not known yet" if not verdicts else "no" if "loss" in verdicts else "yes"


def _ahead(differences: Collection[Estimate]) -> _Reached:
    """Whether an average is above zero: level where its interval, over data sets, holds zero."""
    average = average_of(differences)
    if average is None:
        return "not known yet"
    return "no" if average.mean <= 0 else "level" if average.verdict == "level" else "yes"


def _worst(answers: Collection[_Reached]) -> _Reached:
    return next(answer for answer in ("not known yet", "no", "level", "yes") if answer in answers)


def _answer(reached: _Reached, found: Mapping[str, Mapping[str, Estimate]]) -> str:
    """Whether a goal was reached, of how many comparisons with a verdict, and of how many data sets with all runs."""
    if reached == "not known yet":
        return reached
    complete = sum(
        all(name in of_data_set and of_data_set[name].runs >= runs.of(other) for other, of_data_set in found.items())
        for name, runs in PLAN.items()
    )
    so_far = "" if complete == len(PLAN) else f", so far: {complete} of {len(PLAN)} data sets complete"
    every = [difference for of_data_set in found.values() for difference in of_data_set.values()]
    judged = sum(difference.verdict != "too few runs" for difference in every)
    return reached + ("" if judged == len(every) else f", {len(every) - judged} of {len(every)} not known") + so_far
