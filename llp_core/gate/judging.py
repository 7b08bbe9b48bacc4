"""The verdict on a candidate, by the rules of params.yaml."""

from pathlib import Path

from llp_core import paths
from llp_core.config import Params
from llp_core.gate.rules import (
    above_floors,
    checks_green,
    enough_to_judge,
    fast_enough,
    not_worse,
    require_judgeable,
    small_enough,
)
from llp_core.gate.scoring import champion_rival, compare, plain_rival
from llp_core.gate.verdict import Verdict
from llp_core.names import SETTINGS
from llp_core.registry import candidate_hash, champion, open_version, settings_hash
from llp_core.store import load
from llp_core.types import Graph


def judge(root: Path, params: Params) -> Verdict:
    """Judges what the pipeline's last run left against the model in use.

    Both score the test edges of the candidate's split, in each setting, leaving out pairs that either was trained on.
    With no model in use the candidate is held against floors, and against the plain MLP of the same run.

    Args:
        root: the project's folder.
        params: section gate has the rules; sections run, student and data are those of the run.

    Raises:
        InputError: the settings of the gate are none that a run could answer, the pipeline has not run in each setting,
            the model in use is not as it was written, or the two cannot be compared.
    """
    require_judgeable(params)
    digest = candidate_hash(root)
    graph = load(Graph, root / paths.GRAPH)
    if (number := champion(root)) is not None:
        rival = champion_rival(root, open_version(root, number), params, graph)
    else:
        rival = plain_rival(root, params, graph)
    rules, rows = list(checks_green(root, SETTINGS)), []
    for setting in SETTINGS:
        found = list(compare(root, params, graph, setting, rival))
        rows += found
        if number is None:
            rules += above_floors(found, params.gate)
        rules.append(enough_to_judge(found, setting))
        rules += not_worse(found, params.gate.tolerance, rival.name)
        rules += [fast_enough(root, params.gate, setting), small_enough(root, params.gate, setting)]
    return Verdict(
        promoted=all(rule.passed for rule in rules),
        candidate=digest,
        settings=settings_hash(params),
        champion=number,
        against=rival.name,
        rules=tuple(rules),
        comparisons=tuple(rows),
    )
