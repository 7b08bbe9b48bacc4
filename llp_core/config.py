"""params.yaml as one frozen, typed object per section.

Each section is checked on its own and by `Params` as a whole; an unknown key is refused by name.
Units are in the names or in the text under each field; shares lie in 0..1.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from llp_core.errors import InputError
from llp_core.names import METHOD_LOSSES, METHODS, Method

Share = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[int, Field(ge=1)]
Weight = Annotated[float, Field(ge=0)]


class Section(BaseModel):
    """A frozen section of params.yaml that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class RunParams(Section):
    """What holds for every stage."""

    seed: Annotated[int, Field(ge=0)]
    """Every random draw comes from this number and the name of its purpose."""
    threads: Positive
    """Threads of one stage's numerics. Part of what makes figures repeatable: sums depend on it."""
    device: Literal["auto", "cpu", "cuda"]
    """Where training and latency run; auto takes a GPU where there is one."""
    precision: Literal["auto", "float32", "bfloat16"]
    """Of the dense products in training, whose sums and weights stay float32; auto takes bfloat16 where the
    processor multiplies it natively. Scores and latency are always float32."""


class FilesParams(Section):
    """One's own graph, read from a nodes file and an edges file (CSV or Parquet)."""

    nodes: str
    """Path of the nodes file: one row a node."""
    edges: str
    """Path of the edges file: one row an edge."""
    id: str
    """Column of the nodes file that holds the node's id."""
    source: str
    """Column of the edges file that holds the id of an edge's one end."""
    target: str
    """Column of the edges file that holds the id of its other end."""
    weight: str | None
    """Column of the edges file with the edge's weight, or null."""
    time: str | None
    """Column of the edges file with the edge's time, or null."""
    columns: dict[str, Literal["number", "category", "text", "ignore"]]
    """How to read a feature column, where the guess is wrong."""
    max_words: Positive
    """At most this many words of a text column, or values of a category column, become features."""


class DataParams(Section):
    """Which data set, and where its raw files come from."""

    name: str
    """A name that `llp dataset list` shows."""
    mirror: str | None
    """A folder laid out as PyG's and OGB's raw folders, to copy from instead of downloading.
    The variable LLP_DATA_MIRROR takes its place where it is null."""
    files: FilesParams

    def mirror_folder(self) -> Path | None:
        """The mirror to use: the setting, else the variable LLP_DATA_MIRROR, else None."""
        chosen = self.mirror or os.environ.get("LLP_DATA_MIRROR")
        return Path(chosen) if chosen else None


class ValidateParams(Section):
    """What the checks demand of nodes and edges."""

    min_nodes: Positive
    """The graph has at least this many nodes."""
    min_edges: Positive
    """The graph has at least this many edges."""
    max_featureless_share: Annotated[float, Field(ge=0, le=1)]
    """At most this share of the nodes may have no feature other than zero."""
    min_component_share: Annotated[float, Field(ge=0, le=1)]
    """The largest connected component holds at least this share of the nodes."""


class TransductiveParams(Section):
    """All nodes are known; some edges are held out."""

    valid_share: Share
    """Of all edges, to choose the epoch."""
    test_share: Share
    """Of all edges, scored once at the end."""

    @model_validator(mode="after")
    def _some_edges_train(self) -> Self:
        if self.valid_share + self.test_share >= 1:
            raise ValueError("valid_share and test_share must add up to less than 1")
        return self


class ProductionParams(Section):
    """Some nodes and edges appear after training. Cold start uses the same split."""

    new_node_share: Share | None
    """Of all nodes, unknown while training.
    Null takes the data set's own: 0.3 for small graphs and 0.1 for others, as the paper does."""
    test_share: Share | None
    """Of each kind of edge (old-old, old-new, new-new). Null as for new_node_share."""
    valid_share: Share
    """Of the edges among old nodes, to choose the epoch."""
    extra_share: Share
    """Of the edges among old nodes, unknown while training and passed messages over at inference."""

    @model_validator(mode="after")
    def _some_edges_train(self) -> Self:
        if (self.test_share or 0) + self.valid_share + self.extra_share >= 1:
            raise ValueError("test_share, valid_share and extra_share must add up to less than 1")
        return self


class SplitParams(Section):
    """How edges are held out."""

    seed: Annotated[int, Field(ge=0)]
    """Of the split alone, so that models are compared on the same one."""
    transductive: TransductiveParams
    production: ProductionParams

    def with_shares_of(self, new_node_share: float, test_share: float) -> Self:
        """The same settings, with a data set's own shares where production leaves them null.

        Raises:
            InputError: the shares leave no edge to train on.
        """
        chosen = self.production.model_dump()
        own = {"new_node_share": new_node_share, "test_share": test_share}
        chosen |= {name: share for name, share in own.items() if chosen[name] is None}
        try:
            return self.model_copy(update={"production": ProductionParams(**chosen)})
        except ValidationError as error:
            told = _describe({**error.errors()[0], "loc": ("split", "production"), "input": {}})
            raise InputError(f"{told}; the data set's own test_share is {test_share}") from None


class ModelParams(Section):
    """An encoder with its decoder, and how it is trained."""

    layers: Annotated[int, Field(ge=1, le=8)]
    """Of the encoder."""
    hidden: Annotated[int, Field(ge=1, le=8192)]
    """Width of every layer, of the node representations and of the decoder."""
    dropout: Share
    """After each hidden layer of encoder and decoder; rounded to the next 1/256."""
    learning_rate: Annotated[float, Field(gt=0)]
    """Of Adam."""
    max_epochs: Positive
    """Training stops here at the latest."""
    patience: Positive
    """Training stops when the validation Hits@20 has not risen for this many epochs."""
    batch_size: Positive
    """Training edges in one step of the optimiser."""


class TeacherParams(ModelParams):
    """The graph neural network."""

    encoder: Literal["sage", "gcn"]
    """GraphSAGE with mean aggregation, or a graph convolutional network."""
    candidates: Positive
    """This many teachers are trained, each from its own seed; the best by validation is kept."""


class ContextsParams(Section):
    """The nodes an anchor is compared with (paper, context nodes sampling)."""

    walks: Positive
    """Random walks that start at an anchor."""
    length: Positive
    """Steps of one random walk."""
    random_ratio: Annotated[int, Field(ge=0)]
    """Uniform context nodes for each one met on a walk."""
    rounds: Positive
    """Independent draws; the student cycles through them, one an epoch."""

    @property
    def near(self) -> int:
        """Context nodes met on walks."""
        return self.walks * self.length

    @property
    def size(self) -> int:
        """Context nodes of an anchor."""
        return self.near * (1 + self.random_ratio)


class StudentParams(ModelParams):
    """The MLP, and the weights of its losses."""

    methods: Annotated[tuple[Method, ...], Field(min_length=1)]
    """Which students to train."""
    label_weight: Weight
    """Of the label loss. A method uses the losses that it is made of (see `METHOD_LOSSES`)."""
    logit_weight: Weight
    """Of logit matching."""
    representation_weight: Weight
    """Of representation matching."""
    rank_weight: Weight
    """Of the rank loss."""
    distribution_weight: Weight
    """Of the distribution loss."""
    margin: Annotated[float, Field(gt=0, lt=1)]
    """Of the rank loss, in probability."""
    temperature: Annotated[float, Field(gt=0)]
    """Of the distribution loss."""

    @model_validator(mode="after")
    def _each_method_learns(self) -> Self:
        if len(set(self.methods)) != len(self.methods):
            raise ValueError(f"methods: one is named twice in {list(self.methods)}; choose from {', '.join(METHODS)}")
        for method in self.methods:
            if not any(self.loss_weights(method).values()):
                raise ValueError(f"every loss of method {method} has weight 0; give one of them a weight")
        return self

    def loss_weights(self, method: Method) -> dict[str, float]:
        """Loss -> weight of the losses that a method is made of."""
        return {loss: float(getattr(self, f"{loss}_weight")) for loss in METHOD_LOSSES[method]}


class LatencyParams(Section):
    """What the latency stage times."""

    pairs: Annotated[tuple[Positive, ...], Field(min_length=1)]
    """Sizes of an online request, in node pairs."""
    seconds: Annotated[float, Field(gt=0, le=600)]
    """At most this long for one row."""
    max_requests: Positive
    """At most this many requests for one row."""


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


def load_params(path: Path) -> Params:
    """Reads and checks params.yaml.

    Raises:
        InputError: the file is missing, is not YAML, or a setting is unknown, missing or out of range.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"{path}: not found. Run llp in the project's folder, the one that holds dvc.yaml and params.yaml."
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not readable as YAML: {error}") from None
    return parse_params(values, str(path))


def parse_params(values: Any, origin: str) -> Params:
    """Checks settings that came from `origin`, as `load_params` does.

    Raises:
        InputError: names every setting that is unknown, missing or out of range.
    """
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        raise InputError(f"{origin}: " + "; ".join(_describe(problem) for problem in error.errors())) from None


def _describe(problem: Mapping[str, Any]) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"{key} is not a setting. `llp params show` lists those that are"
    if problem["type"] == "missing":
        return f"{key} is missing"
    found = "" if isinstance(problem["input"], dict) else f", got {problem['input']!r}"
    return f"{key or 'the file'}: {problem['msg'].removeprefix('Value error, ')}{found}"
