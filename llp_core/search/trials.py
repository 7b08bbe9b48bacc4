"""Optuna's part: a study of one phase that goes on where it was, and its trials side by side.

Only this process writes the storage; the others are sent settings and send back scores.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState

from llp_core.config import Params
from llp_core.errors import LLPError
from llp_core.progress import Progress
from llp_core.sampling import generator
from llp_core.search.scoring import Job
from llp_core.search.spaces import Phase, Space, Values, rounded, with_values
from llp_core.search.workers import Validation, Workers

logger = logging.getLogger(__name__)

FIRST_AT_RANDOM, BEFORE_PRUNING = 10, 5
"""Trials before Optuna's sampler models the scores, and before a trial may be pruned."""
EPOCHS_BEFORE_PRUNING = 1 / 3
"""Of all epochs. By then the order of trainings is near that of their scores (docs/tuning.md)."""

Scores = list[float]
"""One an inner split, in percent."""

_ERROR, _FRESH = "error", "fresh"
_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


@dataclass(frozen=True)
class Study:
    """The trials of one phase.

    Attributes:
        name: of the study in the storage: two problems have two names.
        phase: what is searched.
        space: where.
        params: all other settings.
        starts: settings to try first, never pruned.
        splits: how many inner splits, the first ones, a trial is scored on. Each is a step of it, after which it may be
            pruned; where there is one, each validation of its training is.
        fresh: how many there are after those, which choose no trial.
    """

    name: str
    phase: Phase
    space: Space
    params: Params
    starts: Sequence[Values]
    splits: int
    fresh: int

    def run(self, storage: JournalStorage, trials: int, workers: Workers) -> list[FrozenTrial]:
        """Goes on until there are so many trials, or every start is tried where those are more.

        Returns:
            All trials that were not interrupted, in order.
        """
        study = optuna.create_study(
            storage=storage,
            study_name=self.name,
            direction="maximize",
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(
                n_startup_trials=BEFORE_PRUNING, n_warmup_steps=self._steps_before_pruning
            ),
        )
        self._enqueue(study)
        running: dict[int, Trial] = {}
        with Progress(trials, self.phase.name) as progress:
            progress.advance(len(trials_of(study)))
            while True:
                while workers.idle and (_trials(study, TrialState.WAITING) or len(trials_of(study)) < trials):
                    trial = self._ask(study)
                    running[trial.number] = trial
                    workers.submit(trial.number, self._job(trial, 0))
                if not running:
                    return trials_of(study)
                number, outcome = workers.wait()
                if self._told(study, running[number], outcome, workers):
                    del running[number]
                    best = max((trial.value or 0.0 for trial in _trials(study, TrialState.COMPLETE)), default=0.0)
                    progress.advance(best=best)

    def _enqueue(self, study: optuna.Study) -> None:
        """Trials of a run that was killed, then starts that are not there yet, or failed."""
        for trial in _trials(study, TrialState.RUNNING):
            study.tell(trial.number, state=TrialState.FAIL)
            values = (
                trial.params if trial.params.keys() == self.space.keys() else trial.system_attrs.get("fixed_params")
            )
            if _ERROR not in trial.user_attrs and values is not None:
                study.enqueue_trial(values, {"start": trial.user_attrs.get("start", False)})
        there = [self.settings(trial) for trial in trials_of(study) if trial.state != TrialState.FAIL]
        there += [trial.system_attrs["fixed_params"] for trial in _trials(study, TrialState.WAITING)]
        for values in self.starts:
            if values not in there:
                study.enqueue_trial(dict(values), {"start": True})
                there.append(dict(values))

    def _ask(self, study: optuna.Study) -> Trial:
        # A sampler's state is not stored: one for each trial makes a search that was killed go on with the same draws.
        seed = generator(self.params.run.seed, "search", self.phase.name, len(trials_of(study))).initial_seed()
        study.sampler = optuna.samplers.TPESampler(seed=seed % 2**32, n_startup_trials=FIRST_AT_RANDOM)
        return study.ask(dict(self.space))

    def _job(self, trial: Trial, number: int) -> Job:
        return Job(with_values(self.params, self.settings(trial)), self.phase.method, number, watched=self.splits == 1)

    @property
    def _steps_before_pruning(self) -> int:
        if self.splits > 1:
            return 0
        section = self.params.teacher if self.phase.method == "teacher" else self.params.student
        return int(EPOCHS_BEFORE_PRUNING * section.max_epochs)

    def _told(self, study: optuna.Study, trial: Trial, outcome: float | str | Validation, workers: Workers) -> bool:
        """Notes what came of a trial, lets it go on unless it is done with, and tells whether it is."""
        if isinstance(outcome, str):
            logger.warning("%s: trial %d failed: %s", self.phase.name, trial.number, outcome)
            trial.set_user_attr(_ERROR, outcome)
            study.tell(trial, state=TrialState.FAIL)
            if self.settings(trial) == self.starts[0]:
                raise LLPError(f"{self.phase.name}: the settings in use now could not be scored: {outcome}")
            return True
        if isinstance(outcome, Validation):
            trial.report(outcome.score, step=outcome.epochs)
            pruned = self._is_pruned(study, trial)
            workers.answer(trial.number, go_on=not pruned)
            return pruned
        scores = [*trial.user_attrs.get("scores", []), outcome]
        trial.set_user_attr("scores", scores)
        if len(scores) == self.splits:
            study.tell(trial, fmean(scores))
            return True
        trial.report(fmean(scores), step=len(scores) - 1)
        pruned = self._is_pruned(study, trial)
        if not pruned:
            workers.submit(trial.number, self._job(trial, len(scores)))
        return pruned

    def _is_pruned(self, study: optuna.Study, trial: Trial) -> bool:
        """Whether a trial is below the median at this step, noted if so."""
        pruned = not trial.user_attrs.get("start") and trial.should_prune()
        if pruned:
            study.tell(trial, state=TrialState.PRUNED)
        return pruned

    def scores_on_fresh_splits(
        self, storage: JournalStorage, asked: Sequence[Values], workers: Workers
    ) -> list[Scores]:
        """The scores of settings on the inner splits that chose no trial, one each. What is scored is kept.

        Raises:
            LLPError: settings could not be scored.
        """
        study = optuna.load_study(storage=storage, study_name=self.name)
        names = [json.dumps(values, sort_keys=True) for values in asked]
        kept: dict[str, Scores] = dict(study.user_attrs.get(_FRESH, {}))
        missing = {name: values for name, values in zip(names, asked, strict=True) if name not in kept}
        numbers = range(self.splits, self.splits + self.fresh)
        for name, values in missing.items():
            params = with_values(self.params, values)
            jobs = [Job(params, self.phase.method, number) for number in numbers]
            try:
                kept[name] = workers.score_all(jobs, f"{self.phase.name}, fresh splits")
            except LLPError as error:
                raise LLPError(f"{self.phase.name}: {values} could not be scored: {error}") from None
        if missing:
            study.set_user_attr(_FRESH, kept)
        return [kept[name] for name in names]

    def settings(self, trial: Trial | FrozenTrial) -> dict[str, Any]:
        """What a trial tries: a start as it is, else what was drawn, with few digits. Empty before it is asked."""
        values = dict(trial.params)
        return values if trial.user_attrs.get("start") else rounded(self.space, values)


def trials_of(study: optuna.Study) -> list[FrozenTrial]:
    """Trials that are finished or under way, without those that were interrupted."""
    return [trial for trial in _trials(study, TrialState.RUNNING, *_FINISHED) if not _was_interrupted(trial)]


def _was_interrupted(trial: FrozenTrial) -> bool:
    """Whether it ended with its process: a trial that failed by itself says why."""
    return trial.state == TrialState.FAIL and _ERROR not in trial.user_attrs


def _trials(study: optuna.Study, *states: TrialState) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=states)


def open_storage(path: Path) -> JournalStorage:
    """The storage in a file that no other process uses.

    What a process that was killed left there is mended: its lock, and a line that it did not end.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_name(f"{path.name}.lock").unlink(missing_ok=True)
    if path.exists():
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            with path.open("r+b") as file:
                file.truncate(whole)
    return JournalStorage(JournalFileBackend(str(path)))
