"""params.yaml as one frozen, typed object per section.

Each section is checked on its own and by `Params` as a whole; an unknown key is refused by name.
Units are in the names or in the text under each field; shares lie in 0..1.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator
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
from llp_core.names import METHOD_LOSSES, METHODS, SETTINGS, Method, Setting
from llp_core.paths import require_params
from llp_core.section import Positive, Section, Share, Weight, problems

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
    threads: Positive
    """Threads of one stage's numerics. Part of what makes figures repeatable: sums depend on it."""
    device: Literal["auto", "cpu", "cuda"]
    """Where training and latency run; auto takes a GPU where there is one."""
    precision: Literal["auto", "float32", "bfloat16"]
    """Of the dense products in training, whose sums and weights stay float32; auto takes bfloat16 where the
    processor multiplies it natively. Scores and latency are always float32."""


class ModelParams(Section):
    """An encoder with its decoder, and how it is trained."""

    layers: Annotated[int, Field(ge=1, le=8)]
    """Of the encoder."""
    hidden: Annotated[int, Field(ge=1, le=8192)]
    """Width of every layer, of the node representations and of the decoder."""
    dropout: Share
    """After each hidden layer of encoder and decoder; rounded to the next 1/256."""
    learning_rate: Annotated[float, Field(gt=0)]
    """Of Adam, at first."""
    decay: Annotated[float, Field(ge=0, le=1)]
    """Share of `max_epochs`, the last ones, in which the learning rate falls evenly to 0; at 0 it stays as it is."""
    max_epochs: Positive
    """Training stops here at the latest."""
    patience: Positive
    """Training stops at the first validation (there is one every 5 epochs) that finds the score has not risen for this
    many epochs."""
    batch_size: Positive
    """Training edges in one step of the optimiser."""
    negatives: Annotated[int, Field(ge=1, le=100)]
    """Pairs without an edge that a step draws for each of its training edges."""
    feature_dropout: Share
    """Of the node features, in each step of the optimiser."""
    standardize: bool
    """Whether the first layer trains as if each column of the features had mean 0 and deviation 1 on training nodes."""
    average: Share
    """Decay of the running mean of the weights over steps, which is what is validated and kept; 0 keeps the last."""
    decoder: Literal["mlp", "linear"]
    """Of the product of two representations: with a hidden layer, as published; or one linear map, which suits graphs
    of few edges and new nodes, costs little, and of a student can be answered by an index for inner products."""


class TeacherParams(ModelParams):
    """The graph neural network."""

    encoder: Literal["sage", "gcn"]
    """GraphSAGE with mean aggregation, or a graph convolutional network."""
    predicted_share: Annotated[float, Field(gt=0, le=1)]
    """Of the training edges, predicted in one step while messages pass over the rest; an epoch predicts each once.
    At 1 messages pass over the very edges that are predicted, as in the published code."""
    batching: Literal["auto", "full", "sampled"]
    """What a step encodes: every node of the graph, or the nodes that it needs, with neighbours drawn anew in each
    step. auto takes full where that needs at most half a GB: up to 43,690 nodes at 2 layers of width 256."""
    fanouts: Annotated[tuple[Positive, ...], Field(min_length=1)]
    """Neighbours drawn of each node where batching is sampled, from the predicted edges outwards; the last number
    holds for all further layers."""
    candidates: Positive
    """This many teachers are trained, each from its own seed; the best by validation is kept."""

    @property
    def fanout_of_layers(self) -> tuple[int, ...]:
        """One of `fanouts` for each layer."""
        return tuple(self.fanouts[min(hop, len(self.fanouts) - 1)] for hop in range(self.layers))


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
    margin: Annotated[float, Field(gt=0)]
    """Of the rank loss, in the unit of what is compared."""
    temperature: Annotated[float, Field(gt=0)]
    """Of the distribution loss."""
    match: Literal["probabilities", "logits"]
    """What rank and distribution loss compare: the paper's probabilities, or logits, which saturate nowhere."""
    start: Literal["fresh", "decoder", "teacher"]
    """First weights of a student that has a teacher: drawn anew; its teacher's in the decoder; or its teacher's in
    encoder and decoder, with every node taken for its own neighbour. A decoder of another kind than the teacher's is
    drawn anew in any case."""

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
    return YAML(typ="safe").load(text)


def parse_params(values: Any, origin: str) -> Params:
    """Checks settings that came from `origin`, as `load_params` does.

    Raises:
        InputError: names every setting that is unknown, missing or out of range.
    """
    try:
        params = Params.model_validate(values)
        for setting in SETTINGS:
            params.of(setting)
    except ValidationError as error:
        raise InputError(f"{origin}: {problems(error)}") from None
    except InputError as error:
        raise InputError(f"{origin}: {error}") from None
    return params
