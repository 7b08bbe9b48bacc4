"""What the paper claims, what is to be reached here, and what was measured."""

from collections.abc import Iterable, Mapping

from llp_core.names import ALL_EDGES, SETTINGS, TEACHER, Setting
from llp_core.paper.plan import PLAN
from llp_core.paper.results import Results, mean_of
from llp_core.paper.statistics import Estimate
from llp_core.paper.tables import LLP, count_verdicts
from llp_core.report.blocks import Table
from llp_core.report.figures import ABSENT, METHOD_NAMES, SETTING_NAMES, signed

BASELINES = ("label", "logit", "representation")
_Row = tuple[str, str, str, str, str]


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
    """Of all comparisons with a verdict none may be a loss, and each average must be above zero."""
    found = {other: results.differences(setting, LLP, other) for other in BASELINES}
    means = {other: mean_of(differences.values()) for other, differences in found.items()}
    every = [difference for differences in found.values() for difference in differences.values()]
    averages = ", ".join(f"{METHOD_NAMES[other]} {signed(mean)}" for other, mean in means.items() if mean is not None)
    ahead = all(mean is not None and mean > 0 for mean in means.values())
    no_loss = _no_loss(every)
    return (
        f"{SETTING_NAMES[setting]}, against plain MLP, logit and representation matching",
        "ahead everywhere" if setting != "cold_start" else "ahead of the plain MLP",
        "ahead or level everywhere, ahead on average",
        f"{count_verdicts(every)}; average: {averages}" if every else ABSENT,
        _answer(None if no_loss is None else no_loss and ahead, found),
    )


def _average(results: Results, setting: Setting, other: str, paper: str, goal: float, group: str = ALL_EDGES) -> _Row:
    found = results.differences(setting, LLP, other, group)
    mean = mean_of(found.values())
    edges = "" if group == ALL_EDGES else f", {group} edges"
    return (
        f"{SETTING_NAMES[setting]}{edges}, against the {METHOD_NAMES[other]}, average",
        paper,
        f"at least {goal:+g}" if goal else "ahead",
        ABSENT if mean is None else f"{signed(mean)}; {count_verdicts(found.values())}",
        _answer(None if mean is None else mean >= goal if goal else mean > 0, {other: found}),
    )


def _no_loss(differences: Iterable[Estimate]) -> bool | None:
    """None where no comparison has runs enough for a verdict."""
    verdicts = {difference.verdict for difference in differences} - {"too few runs"}
    return "loss" not in verdicts if verdicts else None


def _answer(reached: bool | None, found: Mapping[str, Mapping[str, Estimate]]) -> str:
    """Yes or no, with how many data sets have every planned run of the compared methods, where that is not all."""
    if reached is None:
        return "not known yet"
    complete = sum(
        all(name in of_data_set and of_data_set[name].runs >= runs.of(other) for other, of_data_set in found.items())
        for name, runs in PLAN.items()
    )
    so_far = "" if complete == len(PLAN) else f", so far: {complete} of {len(PLAN)} data sets complete"
    return ("yes" if reached else "no") + so_far
