"""What every section of params.yaml has in common, and how a fault in one is told."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Share = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[int, Field(ge=1)]
Weight = Annotated[float, Field(ge=0)]
List = Field(min_length=1, strict=False)
"""Of a tuple of at least one value, which a file has as a list."""


class Section(BaseModel):
    """A frozen section of params.yaml that refuses unknown keys, and `true` or "256" for a number."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


def problems(error: ValidationError, *place: str) -> str:
    """Every setting that is unknown, missing or out of range, by its full name.

    Args:
        error: of checking a section.
        place: names of the sections around it.
    """
    return "; ".join(_describe(problem, place) for problem in error.errors())


def _describe(problem: Mapping[str, Any], place: tuple[str, ...]) -> str:
    key = ".".join(str(part) for part in (*place, *problem["loc"])).removesuffix(".[key]")
    if problem["type"] == "extra_forbidden":
        return f"{key} is not a setting. `llp params show` lists those that are"
    if problem["type"] == "missing":
        return f"{key} is missing"
    found = (
        "" if isinstance(problem["input"], dict) or problem["loc"][-1:] == ("[key]",) else f", got {problem['input']!r}"
    )
    return f"{key or 'the file'}: {problem['msg'].removeprefix('Value error, ')}{found}"
