"""The candidate and another model, scored on the same test pairs, none of which either was trained on."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from llp_core import paths
from llp_core.config import Params
from llp_core.errors import InputError
from llp_core.evaluation import score_pairs
from llp_core.gate.bootstrap import HITS, paired_differences
from llp_core.gate.verdict import Comparison
from llp_core.hashing import node_hashes, pair_hashes
from llp_core.models import LinkModel, load_model
from llp_core.names import ALL_EDGES, EDGE_GROUPS, SETTINGS, Setting
from llp_core.registry.records import TRAINED_ON, ModelVersion
from llp_core.registry.serving import features_for
from llp_core.registry.versions import served_method, version_folder
from llp_core.sampling import generator
from llp_core.store import load, read_tensors
from llp_core.training.runs import resolve_device
from llp_core.types import Graph, LinkSplit

FEWEST_POSITIVES = 20
"""A group with fewer test edges is reported and not judged."""


@dataclass(frozen=True, eq=False)
class Rival:
    """What the candidate is compared with.

    Attributes:
        name: in words.
        features: of the graph's nodes as its models take them.
        trained_on: setting -> hashes of the pairs that it saw as edges, int64; empty where those are the candidate's.
        models: setting -> where its model lies.
    """

    name: str
    features: Tensor
    trained_on: dict[str, Tensor]
    models: dict[Setting, Path]


def champion_rival(root: Path, version: ModelVersion, params: Params, graph: Graph) -> Rival:
    """The model in use: the students that it serves, with the present nodes as its own encoder has them.

    Raises:
        InputError: it was made for another data set or other features, or does not say which method it serves.
    """
    folder = version_folder(root, version.number)
    features = features_for(root, version, params, graph)
    method = served_method(root, version.number)
    models = {setting: folder / setting / method for setting in SETTINGS}
    return Rival(f"version {version.number}", features, read_tensors(folder / TRAINED_ON), models)


def plain_rival(root: Path, params: Params, graph: Graph) -> Rival:
    """The candidate's own plain MLP, or where the pipeline trains none beside it the candidate itself."""
    method, name = params.gate.method, "itself: there is no model in use, and no plain MLP beside it"
    if method != "label" and all((root / paths.student(setting, "label")).is_dir() for setting in SETTINGS):
        method, name = "label", "the plain MLP of the same run"
    models = {setting: root / paths.student(setting, method) for setting in SETTINGS}
    return Rival(name, graph.features, {}, models)


def compare(root: Path, params: Params, graph: Graph, setting: Setting, rival: Rival) -> Iterator[Comparison]:
    """Scores the candidate and its rival, and compares them in each group of test edges.

    Raises:
        InputError: a model is missing, or a model's scores are not finite.
    """
    device = resolve_device(params.run)
    split = load(LinkSplit, root / paths.split(setting))
    mine = load_model(root / paths.student(setting, params.gate.method), device)
    other = load_model(rival.models[setting], device)
    hashes = node_hashes(graph.node_ids)
    seen = rival.trained_on.get(setting, torch.empty(0, dtype=torch.int64))
    seen = torch.cat((seen, pair_hashes(hashes, torch.cat((split.train_edges, split.valid_edges), dim=1))))
    fresh = [~torch.isin(pair_hashes(hashes, pairs), seen) for pairs in (split.test_edges, split.test_negatives)]
    pairs = torch.cat((split.test_edges[:, fresh[0]], split.test_negatives[:, fresh[1]]), dim=1)
    count = int(fresh[0].sum())
    scores = [_score(mine, graph.features, pairs), _score(other, rival.features, pairs)]
    group = split.test_group[fresh[0]]
    for name, members, before in _groups(split, group):
        rng = generator(params.run.seed, "gate", setting, name)
        left_out = int(before - members.numel() + (~fresh[1]).sum())
        yield from _rows(setting, name, [(each[:count][members], each[count:]) for each in scores], left_out, rng)


def _groups(split: LinkSplit, group: Tensor) -> Iterator[tuple[str, Tensor, int]]:
    """Name, positions among the fresh test edges, and how many there were of each group of test edges."""
    yield ALL_EDGES, torch.arange(group.numel()), split.test_group.numel()
    if bool(split.is_new.any()):
        for number, name in enumerate(EDGE_GROUPS):
            before = int((split.test_group == number).sum())
            if before:
                yield name, (group == number).nonzero().flatten(), before


def _rows(
    setting: Setting, group: str, scores: list[tuple[Tensor, Tensor]], left_out: int, rng: torch.Generator
) -> Iterator[Comparison]:
    positives, negatives = (part.numel() for part in scores[0])
    if positives == 0 or negatives < HITS:
        return
    judged = positives >= FEWEST_POSITIVES
    for metric, found in paired_differences(scores[0], scores[1], rng).items():
        figures = (found.first, found.second, found.low, found.high)
        yield Comparison(setting, group, metric, positives, negatives, left_out, *figures, judged=judged)


def _score(model: LinkModel, features: Tensor, pairs: Tensor) -> Tensor:
    scores = score_pairs(model, features, pairs)
    if not bool(torch.isfinite(scores).all()):
        raise InputError("A model's scores of test pairs are not finite. Train it again with a smaller learning_rate.")
    return scores
