"""The sections of params.yaml about the models: the teacher, the contexts of its lessons, the students."""

from typing import Annotated, Literal, Protocol, Self

from pydantic import Field, model_validator

from llp_core.errors import InputError
from llp_core.names import METHOD_LOSSES, METHODS, Method, Setting, is_taught
from llp_core.section import List, Positive, Section, Share, Weight

MOST_CONTEXT_NODES = 5_000
"""Of an anchor: the rank loss compares each with each."""


class Sized(Protocol):
    """A model, or its settings."""

    @property
    def hidden(self) -> int:
        """Width of its layers."""

    @property
    def layers(self) -> int:
        """Of its encoder."""


class ModelParams(Section):
    """An encoder with its decoder, and how it is trained."""

    layers: Annotated[int, Field(ge=1, le=8)]
    """Of the encoder."""
    hidden: Annotated[int, Field(ge=1, le=8192)]
    """Width of every layer, of the node representations and of the decoder."""
    dropout: Share
    """After each hidden layer of encoder and decoder; rounded to the next 1/256."""
    optimizer: Literal["adam", "muon"]
    """What moves the weights: Adam; or Muon the matrices and Adam the rest. The plain MLP has Adam in any case, with
    which it is better."""
    learning_rate: Annotated[float, Field(gt=0)]
    """Of the optimiser, at first."""
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
    fanouts: Annotated[tuple[Positive, ...], List]
    """Neighbours drawn of each node where batching is sampled, from the predicted edges outwards; the last number
    holds for all further layers."""
    candidates: Annotated[int, Field(ge=1, le=1000)]
    """This many teachers are trained, each from its own seed; the best by validation is kept."""

    @property
    def fanout_of_layers(self) -> tuple[int, ...]:
        """One of `fanouts` for each layer."""
        return tuple(self.fanouts[min(hop, len(self.fanouts) - 1)] for hop in range(self.layers))


class ContextsParams(Section):
    """The nodes an anchor is compared with (paper, context nodes sampling)."""

    walks: Annotated[int, Field(ge=1, le=1000)]
    """Random walks that start at an anchor."""
    length: Annotated[int, Field(ge=1, le=1000)]
    """Steps of one random walk."""
    random_ratio: Annotated[int, Field(ge=0, le=1000)]
    """Uniform context nodes for each one met on a walk."""
    rounds: Annotated[int, Field(ge=1, le=1000)]
    """Independent draws; the student cycles through them, one an epoch."""

    @model_validator(mode="after")
    def _fits_in_memory(self) -> Self:
        if self.size > MOST_CONTEXT_NODES:
            raise ValueError(
                f"walks x length x (1 + random_ratio) are {self.size:,} context nodes of each anchor; at most "
                f"{MOST_CONTEXT_NODES:,} are allowed"
            )
        return self

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

    methods: Annotated[tuple[Method, ...], List]
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
    members: Annotated[int, Field(ge=1, le=16)]
    """This many students of a method are trained, each from its own seed, and merged into one model, as wide as all
    together, whose logit is the mean of theirs. Only the first starts with weights of its teacher."""

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

    def require_sizes_of(self, teacher: Sized, method: Method, setting: Setting | None = None) -> None:
        """Refuses a method that could not learn from a teacher of other sizes.

        Args:
            teacher: the model, or its settings.
            method: of this student.
            setting: of link prediction, for the message.

        Raises:
            InputError: the two differ in width or layers, and the student is to match its teacher's representations
                or to start with its weights.
        """
        if not is_taught(method):
            return
        where = f"in {setting} " if setting else ""
        if teacher.hidden != self.hidden:
            widths = f"{where}student.hidden is {self.hidden} and the teacher's is {teacher.hidden}"
            if self.loss_weights(method).get("representation", 0) > 0:
                raise InputError(
                    f"{widths}: representation matching compares them number by number. Make student.hidden and "
                    "teacher.hidden equal, or leave the method out."
                )
            if self.start != "fresh":
                raise InputError(
                    f"{widths}: the student cannot start with the teacher's weights. Make student.hidden and "
                    "teacher.hidden equal, or set student.start to fresh."
                )
        if self.start == "teacher" and teacher.layers != self.layers:
            raise InputError(
                f"{where}student.layers is {self.layers} and the teacher's is {teacher.layers}: the student cannot "
                "start with the teacher's encoder. Make them equal, or set student.start to decoder."
            )
