"""How many rows the first layer of a sampled teacher computes in an epoch, against the size of the graph.

    .venv/bin/python benchmarks/sampled_rows.py

Nothing is trained: the graphs are those of benchmarks/scaling.py, a step's neighbourhoods are drawn once, and its rows
are multiplied by the steps of an epoch. Small batches make the work grow as the graph does, and make it more at every
size, because edges of one step share neighbours. Half a minute on one core; one JSON line last.
"""

import argparse
import json
import math

import numpy as np
import torch
from scaling import MEAN_DEGREE, SIZES

from llp_core.config import load_params
from llp_core.datasets.shapes import shape_graph
from llp_core.graph import csr
from llp_core.neighborhood import neighborhood
from llp_core.paths import PARAMS
from llp_core.sampling import generator

BATCHES = (8192, 1024, 256)


def rows_of_an_epoch(nodes: int) -> dict[int, int]:
    """Rows of the first layer for each batch size: of a step times the steps."""
    params = load_params(PARAMS)
    graph = shape_graph("sampled-rows", nodes, nodes * MEAN_DEGREE // 2, 1, generator(0, "graph"))
    neighbors, count = csr(graph.edges, nodes), graph.edges.shape[1]
    share = 1 - params.split.transductive.valid_share - params.split.transductive.test_share
    found = {}
    for batch in BATCHES:
        rng = generator(0, "step", batch)
        positive = graph.edges[:, torch.randint(count, (min(batch, count),), generator=rng)]
        negative = torch.randint(nodes, positive.shape, generator=rng)
        seeds = torch.unique(torch.cat((positive, negative)))
        fanouts = params.teacher.fanout_of_layers
        drawn = neighborhood(seeds, params.teacher.layers, neighbors, fanouts, rng)
        found[batch] = drawn.within[-2] * math.ceil(share * count / batch)
    return found


def main() -> None:
    """Prints the table, and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--largest", type=int, choices=SIZES, default=SIZES[-1], help="nodes; larger ones are left out")
    sizes = [size for size in SIZES if size <= parser.parse_args().largest]
    found = {size: rows_of_an_epoch(size) for size in sizes}
    print("| edges a step | " + " | ".join(f"{size:,}" for size in sizes) + " | slope |")
    print("|---|" + "---:|" * (len(sizes) + 1))
    slopes = {}
    for batch in BATCHES:
        rows = [found[size][batch] for size in sizes]
        slopes[batch] = float(np.polyfit(np.log(sizes), np.log(rows), 1)[0])
        print(f"| {batch:,} | " + " | ".join(f"{row / 1e6:.2f}" for row in rows) + f" | {slopes[batch]:.2f} |")
    print("\n" + json.dumps({"rows": found, "slopes": slopes}))


if __name__ == "__main__":
    main()
