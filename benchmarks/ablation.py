"""What each option of the training is worth: the settings in use, and each option changed alone.

    .venv/bin/python benchmarks/ablation.py --dataset cora --setting production --splits 5

Test edges are not read: as in a search (docs/tuning.md), what training may see is split again, and a line's score is
the mean of Hits@10, 20, 30 and 50 on the inner test edges, in percent, each estimated from ten times the pairs.
Differences from the first line are paired by inner split, with their standard error. An option is a name, or settings:
`--option "student.rank_weight=0.1 student.distribution_weight=0.1"`. Scores are kept in data/ablation, so the same
command goes on where it was; remove that folder after a change of the code. One JSON line last.
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path

import torch

from llp_core import paths
from llp_core.cli.params_file import parse_assignments
from llp_core.config import Params, load_params
from llp_core.datasets import get_dataset
from llp_core.datasets.kept import kept_graph
from llp_core.errors import InputError
from llp_core.names import SETTINGS, Setting
from llp_core.search.problem import Problem
from llp_core.search.scoring import Job, score
from llp_core.search.spaces import Scored, Values, with_values
from llp_core.splits import make_split
from llp_core.tuned import for_dataset

FOLDER = Path("data/ablation")
SHALLOW: dict[str, Values] = {
    part: {f"{part}.layers": 1, f"{part}.decoder": "linear", f"{part}.learning_rate": 0.001}
    for part in ("teacher", "student")
}
DEEP: dict[str, Values] = {
    part: {f"{part}.layers": 2, f"{part}.decoder": "mlp", f"{part}.learning_rate": rate}
    for part, rate in (("teacher", 0.005), ("student", 0.001))
}
PAPER: Values = {"student.match": "probabilities", "student.temperature": 1.0, "student.margin": 0.1}

OPTIONS: dict[Scored, dict[str, Values]] = {
    "teacher": {
        "100 epochs": {"teacher.max_epochs": 100},
        "Muon": {"teacher.optimizer": "muon"},
        "standardised columns": {"teacher.standardize": True},
        "columns as they are": {"teacher.standardize": False},
        "rate falls in the last half": {"teacher.decay": 0.5},
        "rate stays": {"teacher.decay": 0.0},
        "messages over the edges it predicts": {"teacher.predicted_share": 1.0},
        "no dropout of features": {"teacher.feature_dropout": 0.0},
        "last weights, not averaged": {"teacher.average": 0.0},
        "one negative an edge": {"teacher.negatives": 1},
        "five negatives an edge": {"teacher.negatives": 5},
        "sampled, 10 neighbours": {"teacher.batching": "sampled"},
        "sampled, 5 neighbours": {"teacher.batching": "sampled", "teacher.fanouts": [5]},
        "linear decoder": {"teacher.decoder": "linear"},
        "1 layer": {"teacher.layers": 1},
        "1 layer, linear decoder": SHALLOW["teacher"],
        "2 layers, MLP as decoder": DEEP["teacher"],
        "as published": {
            "teacher.predicted_share": 1.0,
            "teacher.feature_dropout": 0.0,
            "teacher.average": 0.0,
        },
    },
    "label": {
        "100 epochs": {"student.max_epochs": 100},
        "standardised columns": {"student.standardize": True},
        "columns as they are": {"student.standardize": False},
        "rate falls in the last half": {"student.decay": 0.5},
        "rate stays": {"student.decay": 0.0},
        "no dropout of features": {"student.feature_dropout": 0.0},
        "last weights, not averaged": {"student.average": 0.0},
        "no dropout of layers": {"student.dropout": 0.0},
        "steps of 0.005": {"student.learning_rate": 0.005},
        "steps of 0.001": {"student.learning_rate": 0.001},
        "batches of 8,192": {"student.batch_size": 8192},
        "one negative an edge": {"student.negatives": 1},
        "five negatives an edge": {"student.negatives": 5},
        "3 layers": {"student.layers": 3},
        "width 512": {"student.hidden": 512},
        "one member": {"student.members": 1},
        "two members": {"student.members": 2},
        "four members": {"student.members": 4},
        "linear decoder": {"student.decoder": "linear"},
        "1 layer, linear decoder": SHALLOW["student"],
        "2 layers, MLP as decoder": DEEP["student"],
    },
    "llp": {
        "100 epochs": {"student.max_epochs": 100},
        "Muon": {"student.optimizer": "muon"},
        "Adam": {"student.optimizer": "adam"},
        "standardised columns": {"student.standardize": True},
        "columns as they are": {"student.standardize": False},
        "rate falls in the last half": {"student.decay": 0.5},
        "rate stays": {"student.decay": 0.0},
        "taught by a teacher as published": {
            "teacher.predicted_share": 1.0,
            "teacher.feature_dropout": 0.0,
            "teacher.average": 0.0,
        },
        "starts fresh": {"student.start": "fresh"},
        "starts with its teacher's decoder alone": {"student.start": "decoder"},
        "steps of 0.005": {"student.learning_rate": 0.005},
        "steps of 0.001": {"student.learning_rate": 0.001},
        "matches probabilities, as in the paper": PAPER,
        "no dropout of features": {"student.feature_dropout": 0.0},
        "last weights, not averaged": {"student.average": 0.0},
        "temperature 1": {"student.temperature": 1.0},
        "temperature 8, distribution weight 10": {"student.temperature": 8.0, "student.distribution_weight": 10.0},
        "rank weight 0.1, distribution weight 1": {"student.rank_weight": 0.1, "student.distribution_weight": 1.0},
        "rank weight 1, distribution weight 1": {"student.rank_weight": 1.0, "student.distribution_weight": 1.0},
        "no rank loss": {"student.rank_weight": 0.0},
        "no distribution loss": {"student.distribution_weight": 0.0},
        "one negative an edge": {"teacher.negatives": 1, "student.negatives": 1},
        "five negatives an edge": {"teacher.negatives": 5, "student.negatives": 5},
        "contexts drawn once": {"contexts.rounds": 1},
        "four uniform nodes for each near one": {"contexts.random_ratio": 4},
        "3 layers": {"student.layers": 3, "student.start": "decoder"},
        "width 512": {"student.hidden": 512, "teacher.hidden": 512},
        "one member": {"student.members": 1},
        "two members": {"student.members": 2},
        "four members": {"student.members": 4},
        "linear decoder": {"student.decoder": "linear"},
        "linear decoder, starts fresh": {"student.decoder": "linear", "student.start": "fresh"},
        "1 layer, linear decoder": {**SHALLOW["student"], "student.start": "decoder"},
        "1 layer, linear decoder, as the teacher": {**SHALLOW["student"], **SHALLOW["teacher"]},
        "2 layers, MLP as decoder, as the teacher": {**DEEP["student"], **DEEP["teacher"]},
    },
    "representation": {
        "Muon": {"student.optimizer": "muon"},
        "starts fresh": {"student.start": "fresh"},
        "starts with its teacher's decoder alone": {"student.start": "decoder"},
    },
    "logit": {
        "Muon": {"student.optimizer": "muon"},
        "starts fresh": {"student.start": "fresh"},
        "starts with its teacher's decoder alone": {"student.start": "decoder"},
    },
}


def inner_problem(params: Params, setting: Setting, splits: range) -> Problem:
    """What a score is measured on: these inner splits of the data set that `params` names."""
    source = get_dataset(params.data.name)
    shares = params.split.with_shares_of(source.new_node_share, source.test_share)
    graph = kept_graph(params.data, FOLDER / "graphs" / params.data.name)
    return Problem.of(graph, make_split(graph, setting, shares), shares, splits)


def scores(problem: Problem, params: Params, method: Scored) -> list[float]:
    """The score of a method on each inner split, kept for the next time."""
    found = []
    for number in range(len(problem.seeds)):
        with tempfile.TemporaryDirectory() as workspace:
            found.append(score(problem, Job(params, method, number), FOLDER, Path(workspace)))
    return found


def main() -> None:
    """Prints a line an option, and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="cora")
    parser.add_argument("--setting", choices=SETTINGS, default="transductive")
    parser.add_argument("--splits", type=int, default=5, help="inner splits, at least 2")
    parser.add_argument("--first", type=int, default=0, help="number of the first, such as 4 after a choice on 0 to 3")
    parser.add_argument("--method", action="append", choices=list(OPTIONS), help="default: all")
    parser.add_argument(
        "--option", action="append", help="an option's name, or section.key=value ...; default: all names"
    )
    arguments = parser.parse_args()
    asked = [(method, OPTIONS[method]) for method in arguments.method or OPTIONS]
    known = {name for _, options in asked for name in options}
    settings = {option: parse_assignments(option.split()) for option in arguments.option or () if "=" in option}
    if unknown := set(arguments.option or ()) - known - set(settings):
        parser.error(f"--option {min(unknown)!r} is not known. There are: {'; '.join(sorted(known))}")
    torch.set_num_threads(1)
    params = for_dataset(load_params(paths.PARAMS), arguments.dataset)
    base = params.of(arguments.setting)
    for values in settings.values():
        try:
            with_values(base, values)
        except InputError as error:
            parser.error(str(error))
    problem = inner_problem(params, arguments.setting, range(arguments.first, arguments.first + arguments.splits))
    records = []
    for method, options in asked:
        chosen = {name: values for name, values in options.items() if name in (arguments.option or known)}
        own: list[float] = []
        for name, values in {"as used": {}, **chosen, **settings}.items():
            found = scores(problem, with_values(base, values), method)
            own = own or found
            gains = [one - other for one, other in zip(found, own, strict=True)]
            error = statistics.stdev(gains) / len(gains) ** 0.5
            print(f"{method:<16}{name:<42}{statistics.fmean(found):>7.1f}", end="")
            print(f"{statistics.fmean(gains):>+8.1f} +- {error:.1f}" if values else "", flush=True)
            records.append({"method": method, "option": name, "scores": found})
    about = {"dataset": arguments.dataset, "setting": arguments.setting, "splits": arguments.splits}
    print(json.dumps({**about, "records": records}))


if __name__ == "__main__":
    main()
