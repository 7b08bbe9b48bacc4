"""Encoders, the decoder, and the model made of both."""

from llp_core.models.adjacency import Adjacency
from llp_core.models.features import NodeFeatures
from llp_core.models.link_model import LinkModel, ModelSpec, gather, load_model, save_model

__all__ = ["Adjacency", "LinkModel", "ModelSpec", "NodeFeatures", "gather", "load_model", "save_model"]
