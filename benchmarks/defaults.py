"""Which settings suit a data set that no search has been made for: chosen on the others, leaving one out in turn.

    .venv/bin/python benchmarks/defaults.py --setting production

Each candidate is tried on each data set, on inner splits of what training may see, scored as in
`benchmarks/ablation.py`: no test edge is read. For each data set the last table names the candidate that is best on
average over the others, and what it gives up there against the best one. Scores are kept in data/ablation, so the same
command goes on where it was; remove that folder after a change of the code. One JSON line last.
"""

import argparse
import json
import statistics
from collections.abc import Mapping

import torch
from ablation import SHALLOW, inner_problem, scores

from llp_core import paths
from llp_core.config import TunedParams, load_params
from llp_core.names import SETTINGS
from llp_core.search.spaces import Scored, Values, with_values

DATASETS = ("cora", "citeseer", "debian", "cs", "photos")
METHODS: tuple[Scored, ...] = ("teacher", "label", "llp")
NO_DROPOUT: Values = {
    **{f"{section}.learning_rate": 0.001 for section in ("teacher", "student")},
    **{f"{section}.dropout": 0.0 for section in ("teacher", "student")},
    **{f"{section}.feature_dropout": 0.2 for section in ("teacher", "student")},
}
ONE_LAYER: Values = {**SHALLOW["teacher"], **SHALLOW["student"]}
CANDIDATES: Mapping[str, Values] = {
    "params.yaml": {},
    "no dropout": NO_DROPOUT,
    "1 layer": ONE_LAYER,
    "1 layer, no dropout": {**NO_DROPOUT, **ONE_LAYER},
}
"""What each changes of params.yaml with nothing tuned: what was found by hand on CS, on Cora and Citeseer, and both."""

Scores = Mapping[str, Mapping[str, float]]
"""Candidate -> data set -> percent."""


def main() -> None:
    """Prints the scores, what is chosen for each data set by the others, and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--setting", choices=SETTINGS, default="production")
    parser.add_argument("--splits", type=int, default=2, help="inner splits, at least 2")
    parser.add_argument("--dataset", action="append", help=f"default: {', '.join(DATASETS)}")
    parser.add_argument("--method", action="append", choices=METHODS, help="default: all")
    parser.add_argument("--candidate", action="append", choices=list(CANDIDATES), help="default: all")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    params = load_params(paths.PARAMS)
    datasets = arguments.dataset or DATASETS
    chosen = {name: CANDIDATES[name] for name in arguments.candidate or CANDIDATES}
    found: dict[str, dict[str, dict[str, float]]] = {}
    for method in arguments.method or METHODS:
        print(f"{method + ', %':<20}" + "".join(f"{name:>21}" for name in chosen))
        own = found[method] = {name: {} for name in chosen}
        for dataset in datasets:
            data = params.data.model_copy(update={"name": dataset})
            of_dataset = params.model_copy(update={"data": data, "tuned": TunedParams.nothing()})
            problem = inner_problem(of_dataset, arguments.setting, range(arguments.splits))
            for name, values in chosen.items():
                changed = with_values(of_dataset, values)
                own[name][dataset] = statistics.fmean(scores(problem, changed, method))
            print(f"{dataset:<20}" + "".join(f"{own[name][dataset]:>21.1f}" for name in chosen), flush=True)
        for dataset in datasets if len(datasets) > 1 else ():
            name = best_over_others(own, dataset)
            lost = max(other[dataset] for other in own.values()) - own[name][dataset]
            print(f"left out {dataset:<11}{name:>21}, {lost:.1f} below the best one there")
    print(json.dumps({"setting": arguments.setting, "splits": arguments.splits, "scores": found}))


def best_over_others(found: Scores, left_out: str) -> str:
    """The candidate of the best mean over all data sets but one."""
    return max(found, key=lambda name: statistics.fmean(v for key, v in found[name].items() if key != left_out))


if __name__ == "__main__":
    main()
