"""The search itself: one phase after the other, and what is taken over from each."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, NamedTuple, Self

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.storages import JournalStorage
from optuna.trial import FrozenTrial, TrialState

from llp_core.config import Params, TunedParams
from llp_core.errors import InputError
from llp_core.locks import locked
from llp_core.search.problem import Problem
from llp_core.search.scoring import relevant_settings
from llp_core.search.spaces import (
    PHASES,
    START,
    Phase,
    Values,
    clipped,
    flat,
    nested,
    possible,
    value_of,
    widened,
    with_values,
)
from llp_core.search.trials import Scores, Study, open_storage
from llp_core.search.workers import Workers
from llp_core.training.checkpoint import fingerprint
from llp_core.training.runs import trainings_at_once
from llp_core.types import Graph, LinkSplit

logger = logging.getLogger(__name__)

MANY_EDGES = 20_000
"""Known while training. With more, scores differ little between inner splits, and each takes minutes."""


class InnerSplits(NamedTuple):
    """How many inner splits a search has.

    Attributes:
        trials: that trials are scored on, the first ones.
        fresh: that the best trial, lucky in part on those that chose it, must show its gain on.
    """

    trials: int
    fresh: int

    @classmethod
    def of(cls, split: LinkSplit) -> Self:
        """For a reported split: three and five, and one and three where it has over `MANY_EDGES`."""
        return cls(3, 5) if split.train_edges.shape[1] + split.valid_edges.shape[1] <= MANY_EDGES else cls(1, 3)


@dataclass(frozen=True)
class PhaseResult:
    """What came of one phase. Scores are means over the fresh inner splits, in percent.

    Attributes:
        phase: what was searched.
        trials: one row a trial in order: number, state, score (None where it failed or was pruned), and its settings.
            These scores are of the inner splits that the search was made on.
        values: `section.key` -> value to use from now on.
        score: of those.
        current: of the settings before the search.
        untuned: of those in params.yaml.
        gain: of the best trial over the settings before the search.
        noise: standard error of that gain.
    """

    phase: Phase
    trials: tuple[Mapping[str, Any], ...]
    values: Mapping[str, Any]
    score: float
    current: float
    untuned: float
    gain: float
    noise: float

    @property
    def better(self) -> bool:
        """Whether the best trial gains more than noise, and is used."""
        return self.gain > self.noise


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
        values: section -> key -> value, where it differs from params.yaml.
        phases: what came of each.
        seeds: of the inner splits that trials were scored on.
        fresh_seeds: of those that the best trials were scored on then.
    """

    values: Mapping[str, Mapping[str, Any]]
    phases: tuple[PhaseResult, ...]
    seeds: tuple[int, ...]
    fresh_seeds: tuple[int, ...]

    def about(self) -> dict[str, Any]:
        """How the values were found, to stand beside them."""
        phases = {
            result.phase.name: {
                "trials": len(result.trials),
                "score": round(result.score, 2),
                "untuned": round(result.untuned, 2),
            }
            for result in self.phases
        }
        return {"seeds": list(self.seeds), "fresh_seeds": list(self.fresh_seeds), **phases}


def search(
    graph: Graph,
    split: LinkSplit,
    params: Params,
    trials: int,
    folder: Path,
    *,
    published: Values | None = None,
    phases: Sequence[Phase] = PHASES,
    workers: int | None = None,
) -> Found:
    """Searches good settings for a split, without a look at what the split holds back.

    With one worker the same call finds the same again, also after it was killed; with more, the order in which
    trials end has a say.

    Args:
        graph: whole.
        split: the reported one; only its training and validation edges are read.
        params: settings to start from, and to keep where nothing is searched. Section `tuned` gives those in use
            now; the shares of production must be given.
        trials: of each phase, in all: those that `folder` holds count.
        folder: keeps trials, scores and teachers. The same call goes on from there.
        published: `section.key` -> value to try early.
        phases: what to search, in order; representation matching is left out where student and teacher differ in
            width.
        workers: processes side by side; by default one for each core (for `run.threads` of them), one on a GPU.

    Raises:
        InputError: `trials` or `workers` is not positive, the split is too small, or another search works in `folder`.
        LLPError: the settings in use now, or those found, could not be scored.
    """
    if trials < 1:
        raise InputError(f"trials: expected at least 1, got {trials}.")
    if workers is not None and workers < 1:
        raise InputError(f"workers: expected at least 1, or None for one a core, got {workers}.")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    counts = InnerSplits.of(split)
    seeds = tuple(params.run.seed + number for number in range(sum(counts)))
    problem = Problem.of(graph, split, params.split, seeds)
    untuned, own = params.model_copy(update={"tuned": TunedParams.nothing()}), params.of(split.setting)
    current = {key: value_of(own, key) for key in flat(getattr(params.tuned, split.setting).model_dump())}
    if own.student.hidden != own.teacher.hidden:
        logger.info("representation matching is left out: student.hidden and teacher.hidden differ")
        phases = [phase for phase in phases if phase.method != "representation"]
    with locked(folder / "search.lock", f"{folder}: another search is at work there. Wait until it ends, or end it."):
        problem.write(folder / "problem")
        storage = open_storage(folder / "trials.journal")
        count = trainings_at_once(params.run) if workers is None else workers
        with Workers(count, folder, params.run.threads) as processes:
            return _Search(problem, counts, untuned, current, published or {}, storage, processes).run(phases, trials)


@dataclass
class _Search:
    problem: Problem
    splits: InnerSplits
    params: Params
    current: Values
    published: Values
    storage: JournalStorage
    workers: Workers

    def run(self, phases: Sequence[Phase], trials: int) -> Found:
        searched = {key for phase in phases for key in phase.space}
        kept = {key: value for key, value in self.current.items() if key not in searched}
        results: dict[str, PhaseResult] = {}
        for phase in phases:
            before = [results[name] for name in phase.after if name in results]
            fixed = with_values(self.params, self._together(kept, before))
            results[phase.name] = self._phase(phase, fixed, phase.trials(trials))
        chosen = self._together(kept, results.values())
        changed = {key: value for key, value in chosen.items() if value != value_of(self.params, key)}
        seeds = self.problem.seeds
        own = self.splits.trials
        return Found(nested(changed), tuple(results.values()), seeds[:own], seeds[own:])

    def _together(self, values: Values, results: Iterable[PhaseResult]) -> dict[str, Any]:
        """Values, and those of phases, with first weights that the student can take over from its teacher."""
        together = dict(values)
        for result in results:
            together |= result.values
        both = with_values(self.params, together)
        start = {"student.start": both.student.start}
        return together | clipped(possible(START, both), start)

    def _phase(self, phase: Phase, fixed: Params, trials: int) -> PhaseResult:
        untuned = {key: value_of(self.params, key) for key in phase.space}
        current = {key: self.current.get(key, value) for key, value in untuned.items()}
        space = possible(widened(phase.space, (current, untuned)), fixed)
        # A number in use stays as it is, though a weight of 0 is tried as the lowest of its range.
        in_use = {key: value for key, value in current.items() if not isinstance(space[key], CategoricalDistribution)}
        current, untuned = clipped(space, current), clipped(space, untuned)
        starts = [current, untuned]
        elsewhere = {key: value for key, value in self.published.items() if key in space}
        if elsewhere:
            starts.append({**untuned, **clipped(space, elsewhere)})
        study = Study(self._name(phase, fixed, space), phase, space, fixed, starts, *self.splits)
        done = study.run(self.storage, trials, self.workers)
        complete = [trial for trial in done if trial.state == TrialState.COMPLETE]
        best = study.settings(max(complete, key=lambda trial: (trial.value, -trial.number)))
        scores = study.scores_on_fresh_splits(self.storage, (best, current, untuned), self.workers)
        return _result(study, done, best, current | in_use, *scores)

    def _name(self, phase: Phase, fixed: Params, space: Mapping[str, Any]) -> str:
        """Names a phase by all that its scores depend on besides what is searched."""
        settings = relevant_settings(fixed, phase.method)
        for key in phase.space:
            section, _, name = key.partition(".")
            settings[section].pop(name)
        ranges = {key: repr(allowed) for key, allowed in space.items()}
        problem = {"settings": settings, "space": ranges, **self.problem.about}
        return f"{phase.name}-{fingerprint(problem, self.problem.tensors)[:12]}"


def _result(
    study: Study,
    trials: Sequence[FrozenTrial],
    best: Values,
    current: Values,
    best_scores: Scores,
    current_scores: Scores,
    untuned_scores: Scores,
) -> PhaseResult:
    """What is taken over, from the scores of the best trial and of settings before on the fresh splits."""
    gains = [new - old for new, old in zip(best_scores, current_scores, strict=True)]
    gain, noise = fmean(gains), stdev(gains) / len(gains) ** 0.5
    better = gain > noise
    result = PhaseResult(
        phase=study.phase,
        trials=tuple(_row(study, trial) for trial in trials),
        values=dict(best if better else current),
        score=fmean(best_scores if better else current_scores),
        current=fmean(current_scores),
        untuned=fmean(untuned_scores),
        gain=gain,
        noise=noise,
    )
    told = "taken" if better else "not more than noise, so the current settings stay"
    logger.info(
        "%s: %d trials; on %d fresh inner splits the best of them scores %.2f, the current settings %.2f; the gain, "
        "with its standard error %.2f, is %s",
        *(study.phase.name, len(trials), len(gains), fmean(best_scores), result.current, noise, told),
    )
    return result


def _row(study: Study, trial: FrozenTrial) -> dict[str, Any]:
    return {
        "trial": trial.number,
        "state": trial.state.name.lower(),
        "score": trial.value if trial.state == TrialState.COMPLETE else None,
        **study.settings(trial),
    }
