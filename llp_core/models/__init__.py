"""Encoders, the decoder, and the model made of both."""

from llp_core.models.adjacency import Adjacency, TrainingAdjacency, block_adjacencies
from llp_core.models.decoding import TrainingDecoder, Workspace
from llp_core.models.dropout import Dropout
from llp_core.models.features import NodeFeatures
from llp_core.models.link_model import LinkModel, ModelSpec, load_model, save_model
from llp_core.models.merging import merge

__all__ = [
    "Adjacency",
    "Dropout",
    "LinkModel",
    "ModelSpec",
    "NodeFeatures",
    "TrainingAdjacency",
    "TrainingDecoder",
    "Workspace",
    "block_adjacencies",
    "load_model",
    "merge",
    "save_model",
]
