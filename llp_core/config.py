"""params.yaml as one frozen, typed object per section.

Each section is checked on its own and by `Params` as a whole; an unknown key is refused by name.
Units are in the names or in the text under each field; shares lie in 0..1.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationError
from pydantic_core import PydanticCustomError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from llp_core.data_params import (
    DataParams,
    FilesParams,
    ProductionParams,
    SplitParams,
    TransductiveParams,
    ValidateParams,
)
from llp_core.errors import InputError
from llp_core.gate_params import GateParams
from llp_core.model_params import ContextsParams, ModelParams, StudentParams, TeacherParams
from llp_core.names import SETTINGS, Setting
from llp_core.paths import require_params
from llp_core.section import List, Positive, Section, problems

__all__ = [
    "ContextsParams",
    "DataParams",
    "FilesParams",
    "GateParams",
    "LatencyParams",
    "ModelParams",
    "Params",
    "ProductionParams",
    "RunParams",
    "SplitParams",
    "StudentParams",
    "TeacherParams",
    "TransductiveParams",
    "TunedParams",
    "TunedSections",
    "ValidateParams",
    "load_params",
    "parse_params",
    "read_yaml",
]


class RunParams(Section):
    """What holds for every stage."""

    seed: Annotated[int, Field(ge=0)]
    """Every random draw comes from this number and the name of its purpose."""
    threads: Annotated[int, Field(ge=1, le=1024)]
    """Threads of one stage's numerics. Part of what makes figures repeatable: sums depend on it."""
    device: Literal["auto", "cpu", "cuda"]
    """Where training and latency run; auto takes a GPU where there is one."""
    precision: Literal["auto", "float32", "bfloat16"]
    """Of the products in training, whose sums and weights stay float32; auto takes bfloat16 where the
    processor multiplies it natively. Scores and latency are always float32."""


class LatencyParams(Section):
    """What the latency stage times."""

    pairs: Annotated[tuple[Annotated[int, Field(ge=1, le=100_000)], ...], List]
    """Sizes of an online request, in node pairs."""
    seconds: Annotated[float, Field(gt=0, le=600)]
    """The slowest method of a row is timed for so long, but for at least 5 requests online, 3 offline."""
    max_requests: Positive
    """At most this many requests of one method in one row."""


def _key_of(section: type[Section]) -> AfterValidator:
    """Demands a setting of a section, but for `methods`, which says what to run and not how."""

    def known(key: str) -> str:
        if key == "methods":
            raise ValueError("holds for every setting of link prediction: put it in section student")
        if key not in section.model_fields:
            raise PydanticCustomError("extra_forbidden", "not a setting")
        return key

    return AfterValidator(known)


class TunedSections(Section):
    """What takes the place of single settings of teacher, contexts and student."""

    teacher: dict[Annotated[str, _key_of(TeacherParams)], Any]
    """In place of those of section teacher, in this setting of link prediction."""
    contexts: dict[Annotated[str, _key_of(ContextsParams)], Any]
    """In place of those of section contexts, in this setting of link prediction."""
    student: dict[Annotated[str, _key_of(StudentParams)], Any]
    """In place of those of section student, in this setting of link prediction."""


class TunedParams(Section):
    """What holds in one setting of link prediction alone, as it was found for the data set."""

    transductive: TunedSections
    production: TunedSections
    cold_start: TunedSections

    @classmethod
    def nothing(cls) -> Self:
        """Every setting as the sections say."""
        return cls.model_validate({setting: {name: {} for name in TunedSections.model_fields} for setting in SETTINGS})


class Params(Section):
    """All of params.yaml."""

    run: RunParams
    data: DataParams
    validate_: Annotated[ValidateParams, Field(alias="validate")]
    split: SplitParams
    teacher: TeacherParams
    contexts: ContextsParams
    student: StudentParams
    latency: LatencyParams
    gate: GateParams
    tuned: TunedParams

    def of(self, setting: Setting) -> Self:
        """The settings as they hold in one setting of link prediction: `tuned` is merged into the sections.

        Raises:
            InputError: a tuned value is out of range, or contradicts another.
        """
        merged: dict[str, Section] = {}
        for name, own in getattr(self.tuned, setting).model_dump().items():
            section: Section = getattr(self, name)
            try:
                merged[name] = section.model_validate(section.model_dump() | own)
            except ValidationError as error:
                raise InputError(problems(error, "tuned", setting, name)) from None
        return self.model_copy(update={**merged, "tuned": TunedParams.nothing()})


def load_params(path: Path) -> Params:
    """Reads and checks params.yaml.

    Raises:
        InputError: the file is missing, is not YAML, or a setting is unknown, missing or out of range.
    """
    require_params(path)
    try:
        values = read_yaml(path.read_text(encoding="utf-8"))
    except (YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not readable as YAML: {error}") from None
    return parse_params(values, str(path))


def read_yaml(text: str) -> Any:
    """Values as DVC reads them, by YAML 1.2, where `no` and `on` are texts.

    Raises:
        ruamel.yaml.error.YAMLError: it is no YAML.
    """
    try:
        return YAML(typ="safe").load(text)
    except ValueError as error:  # of a date that no calendar has
        raise YAMLError(str(error)) from None


def parse_params(values: Any, origin: str) -> Params:
    """Checks settings that came from `origin`, as `load_params` does.

    Raises:
        InputError: names every setting that is unknown, missing or out of range.
    """
    try:
        params = Params.model_validate(values)
        for setting in SETTINGS:
            own = params.of(setting)
            for method in own.student.methods:
                own.student.require_sizes_of(own.teacher, method, setting)
    except ValidationError as error:
        raise InputError(f"{origin}: {problems(error)}") from None
    except InputError as error:
        raise InputError(f"{origin}: {error}") from None
    return params
