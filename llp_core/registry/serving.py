"""What it takes to serve a version: its student, and nodes as that takes them."""

from pathlib import Path

from torch import Tensor

from llp_core import paths
from llp_core.config import Params, load_params
from llp_core.datasets.columns import FeatureEncoder
from llp_core.datasets.files import ids_of, read_nodes
from llp_core.errors import InputError
from llp_core.graph import csr
from llp_core.models import LinkModel, NodeFeatures
from llp_core.models.rounding import Rounding, find_rounding
from llp_core.names import Setting
from llp_core.registry.records import ENCODER, ModelVersion
from llp_core.registry.versions import open_version, read_version, served_method, version_folder
from llp_core.store import load
from llp_core.types import Graph


def served_student(root: Path, number: int, setting: Setting) -> Path:
    """Where the student lies that a version serves, once all files of the version are found to be as written.

    Raises:
        InputError: there is no such version, or it is not as it was written.
    """
    open_version(root, number)
    return version_folder(root, number) / setting / served_method(root, number)


def encoder_of(root: Path, number: int) -> FeatureEncoder | None:
    """How a version makes features of columns; None where its data set is not made of columns."""
    path = version_folder(root, number) / ENCODER
    return FeatureEncoder.load(path) if path.is_file() else None


def features_for(root: Path, version: ModelVersion, params: Params, graph: Graph) -> Tensor:
    """The features of the graph's nodes, [N, F], as a version's models take them: by its own encoder.

    Raises:
        InputError: the version is of another data set or of other features, or the raw files are not those that the
            graph was made of.
    """
    advice = f"Move {paths.MODELS} away to begin anew."
    if version.data.name != params.data.name:
        raise InputError(
            f"{version.name}: it was trained on data set {version.data.name}, the present one is {params.data.name}. "
            f"{advice}"
        )
    if (encoder := encoder_of(root, version.number)) is not None:
        own = root / paths.ENCODER
        if own.is_file() and FeatureEncoder.load(own) == encoder:
            return graph.features  # whatever became of the raw files since: a next run may be at work, or have failed
        nodes = read_nodes(root / paths.RAW, params.data.files)
        if ids_of(nodes, params.data.files) != graph.node_ids:
            raise InputError(
                f"{paths.RAW}: its nodes are not those of {paths.GRAPH}: the data changed after the prepare stage. "
                "`llp run-flow full` brings both up to date."
            )
        try:
            return encoder.apply(nodes)
        except InputError as error:
            raise InputError(
                f"{version.name} does not fit the present nodes: {error} A column that it was trained with must stay; "
                f"`ignore` in data.files.columns keeps it out of later trainings. {advice}"
            ) from None
    if graph.features.shape[1] != version.data.features:
        raise InputError(
            f"{version.name}: it takes {version.data.features} features, the present nodes have "
            f"{graph.features.shape[1]}. {advice}"
        )
    return graph.features


def rounding_for(root: Path, number: int, model: LinkModel) -> Rounding:
    """How the values of a version's student become bytes, by scales found on the project's graph.

    Args:
        root: the project's folder.
        number: of the version.
        model: its student, on the CPU.

    Raises:
        InputError: there is no graph, it and the version do not fit each other, or a value is not finite.
    """
    graph = load(Graph, root / paths.GRAPH)
    features = features_for(root, read_version(root, number), load_params(root / paths.PARAMS), graph)
    return find_rounding(model, NodeFeatures.of(features), csr(graph.edges, graph.num_nodes))
