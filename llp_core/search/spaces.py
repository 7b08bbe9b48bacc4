"""What is searched: the phases, in order, each with the settings it may change and the model that scores them.

A plain MLP chooses what all students share, so that no baseline is trained with settings made for distillation.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from pydantic import ValidationError

from llp_core.config import Params
from llp_core.errors import InputError
from llp_core.names import Method
from llp_core.section import problems

Values = Mapping[str, Any]
"""`section.key` -> value."""
Space = Mapping[str, BaseDistribution]
"""`section.key` -> the values it may take."""

Scored = Method | Literal["teacher"]
"""A student's method, or the teacher."""

SIGNIFICANT_DIGITS = 3
"""Of a number that the search draws, so that what is committed can be read."""


@dataclass(frozen=True)
class Phase:
    """One part of the search.

    Attributes:
        name: of the phase.
        method: whose score decides.
        after: phases whose findings it starts from.
        most_trials: at most so many, where the space is small.
        space: what it searches. All other settings stay as they are.
    """

    name: str
    method: Scored
    after: tuple[str, ...]
    space: Space
    most_trials: int | None = None

    def trials(self, asked: int) -> int:
        """How many trials it takes where `asked` are asked for."""
        return min(asked, self.most_trials or asked)


_LEARNING_RATE = FloatDistribution(5e-4, 0.03, log=True)
_DECAY = CategoricalDistribution((0.0, 0.5, 1.0))
_DROPOUT = FloatDistribution(0.0, 0.8)
_STANDARDIZE = CategoricalDistribution((False, True))
_BATCH_SIZE = CategoricalDistribution((1024, 4096, 16384, 65536))
_NEGATIVES = IntDistribution(1, 10)
_AVERAGE = CategoricalDistribution((0.0, 0.9, 0.98, 0.995))
_LAYERS = IntDistribution(1, 3)
_DECODER = CategoricalDistribution(("mlp", "linear"))
_OPTIMIZER = CategoricalDistribution(("adam", "muon"))
_WEIGHT = FloatDistribution(1e-3, 1e3, log=True)

START: Space = {"student.start": CategoricalDistribution(("fresh", "decoder", "teacher"))}
"""The first weights of a student that has a teacher."""

_TAUGHT = ("teacher", "model", "distillation")
"""All students that have a teacher start as distillation finds best."""

PHASES: tuple[Phase, ...] = (
    Phase(
        "teacher",
        "teacher",
        after=(),
        space={
            "teacher.optimizer": _OPTIMIZER,
            "teacher.learning_rate": _LEARNING_RATE,
            "teacher.dropout": _DROPOUT,
            "teacher.decay": _DECAY,
            "teacher.feature_dropout": _DROPOUT,
            "teacher.standardize": _STANDARDIZE,
            "teacher.batch_size": _BATCH_SIZE,
            "teacher.negatives": _NEGATIVES,
            "teacher.predicted_share": CategoricalDistribution((0.25, 0.5, 1.0)),
            "teacher.layers": _LAYERS,
            "teacher.decoder": _DECODER,
        },
    ),
    Phase(
        "model",
        "label",
        after=(),
        space={
            "student.learning_rate": _LEARNING_RATE,
            "student.dropout": _DROPOUT,
            "student.decay": _DECAY,
            "student.feature_dropout": _DROPOUT,
            "student.standardize": _STANDARDIZE,
            "student.batch_size": _BATCH_SIZE,
            "student.negatives": _NEGATIVES,
            "student.average": _AVERAGE,
            "student.layers": _LAYERS,
            "student.decoder": _DECODER,
        },
    ),
    Phase(
        "distillation",
        "llp",
        after=("teacher", "model"),
        space={
            "student.optimizer": _OPTIMIZER,
            "student.rank_weight": _WEIGHT,
            "student.distribution_weight": _WEIGHT,
            "student.margin": FloatDistribution(0.01, 4.0, log=True),
            "student.temperature": FloatDistribution(0.03, 16.0, log=True),
            "student.match": CategoricalDistribution(("probabilities", "logits")),
            **START,
            "contexts.walks": IntDistribution(1, 5),
            "contexts.length": IntDistribution(1, 3),
            "contexts.random_ratio": IntDistribution(0, 5),
        },
    ),
    Phase("logit", "logit", _TAUGHT, {"student.logit_weight": _WEIGHT}, most_trials=15),
    Phase("representation", "representation", _TAUGHT, {"student.representation_weight": _WEIGHT}, most_trials=15),
)


def widened(space: Space, starts: Iterable[Values]) -> dict[str, BaseDistribution]:
    """The space with room for settings that someone chose outside of it."""
    wide = dict(space)
    for values in starts:
        for key, value in values.items():
            wide[key] = _with_room_for(wide[key], value)
    return wide


def _with_room_for(allowed: BaseDistribution, value: Any) -> BaseDistribution:
    if isinstance(allowed, FloatDistribution):
        if allowed.log and value <= 0:  # such as a weight of 0: the lowest weight is as good
            return allowed
        return FloatDistribution(min(allowed.low, value), max(allowed.high, value), log=allowed.log)
    if isinstance(allowed, IntDistribution):
        return IntDistribution(min(allowed.low, value), max(allowed.high, value))
    if isinstance(allowed, CategoricalDistribution) and value not in allowed.choices:
        return CategoricalDistribution((*allowed.choices, value))
    return allowed


def possible(space: Space, params: Params) -> Space:
    """The space without first weights that a student of other width or layers than its teacher's cannot take over."""
    student, teacher = params.student, params.teacher
    if "student.start" not in space or (student.hidden, student.layers) == (teacher.hidden, teacher.layers):
        return space
    starts = ("fresh", "decoder") if student.hidden == teacher.hidden else ("fresh",)
    return {**space, "student.start": CategoricalDistribution(starts)}


def clipped(space: Space, values: Values) -> dict[str, Any]:
    """Values from elsewhere, moved to the nearest ones that the space allows."""
    near = {}
    for key, value in values.items():
        allowed = space[key]
        near[key] = value
        if isinstance(allowed, (FloatDistribution, IntDistribution)):
            near[key] = type(allowed.low)(min(max(value, allowed.low), allowed.high))
        elif isinstance(allowed, CategoricalDistribution) and value not in allowed.choices:
            near[key] = allowed.choices[-1]
    return near


def rounded(space: Space, values: Values) -> dict[str, Any]:
    """Values that the search drew, with a few digits each."""
    return {
        key: float(f"{value:.{SIGNIFICANT_DIGITS}g}") if isinstance(space[key], FloatDistribution) else value
        for key, value in values.items()
    }


def value_of(params: Params, key: str) -> Any:
    """The value of a setting `section.key`."""
    section, _, name = key.partition(".")
    return getattr(getattr(params, section), name)


def with_values(params: Params, values: Values) -> Params:
    """The params with some settings changed. Sizes of teacher and student need not agree: a trial may be of one alone.

    Raises:
        InputError: one is out of range, or contradicts another of its section.
    """
    changed = params.model_dump(mode="json", by_alias=True)
    for key, value in values.items():
        section, _, name = key.partition(".")
        changed.setdefault(section, {})[name] = value
    try:
        return Params.model_validate(changed)
    except ValidationError as error:
        raise InputError(f"settings of a trial: {problems(error)}") from None


def flat(sections: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Section -> key -> value as `section.key` -> value."""
    return {f"{section}.{key}": value for section, values in sections.items() for key, value in values.items()}


def nested(values: Values) -> dict[str, dict[str, Any]]:
    """The inverse of `flat`."""
    sections: dict[str, dict[str, Any]] = {}
    for key, value in values.items():
        section, _, name = key.partition(".")
        sections.setdefault(section, {})[name] = value
    return sections
