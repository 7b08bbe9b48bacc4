"""Three nights of an unattended model, from the command line, in one go: the data grows, and things go wrong.

    .venv/bin/python benchmarks/nights.py

In a new folder beside nothing of yours: the embedded example graph with a part of its nodes held back, live data and
a first model; a night with new data and a broken file among it; a night whose training is sabotaged; a good night;
and a rollback by hand. Each night is one `llp run-flow retrain`, with the settings of params.yaml. What it shows is
printed and, at the end, checked; it takes some 5 minutes on two idle cores. --folder keeps the project to look at.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
import yaml

from llp_core.hashing import node_hashes

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "data" / "embedded" / "example"
SABOTAGE = {"start": "fresh", "learning_rate": 1e-9, "max_epochs": 5}
SHOWN = 12
"""Lines of a command's output."""


def main() -> None:
    """Lives through the nights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="keep the project here; must not exist")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="llp-nights-") as temporary:
        root = (arguments.folder or Path(temporary) / "project").resolve()
        root.mkdir(parents=True)
        days = prepare(root)
        told("The first model")
        llp(root, "data", "start")
        llp(root, "run-flow", "retrain")
        told("First night: new nodes and edges, and a file with an edge to a node that nobody knows")
        drop(root, days[1])
        (root / "data" / "incoming" / "broken.csv").write_text("source,target\nandroguard,no-such-package\n")
        expect(llp(root, "run-flow", "retrain"), 0, 6)
        require((root / "data" / "quarantine" / "broken.csv").is_file(), "the broken file is in quarantine")
        llp(root, "data", "log")
        first = in_use(root)
        told("Second night: more data, and a training that is sabotaged (params.yaml: student " + str(SABOTAGE) + ")")
        drop(root, days[2])
        honest = (root / "params.yaml").read_text()
        params = yaml.safe_load(honest)
        params["student"] |= SABOTAGE
        (root / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
        expect(llp(root, "run-flow", "retrain"), 6)
        require(in_use(root) == first, f"version {first} is still in use")
        told("Third night: the settings are mended, and data comes as ever")
        (root / "params.yaml").write_text(honest)
        drop(root, days[3])
        expect(llp(root, "run-flow", "retrain"), 0)
        require(in_use(root) != first, f"version {in_use(root)} is in use")
        llp(root, "model", "list")
        told("The day after: nothing new, and a rollback by hand")
        expect(llp(root, "run-flow", "retrain"), 0)
        expect(llp(root, "model", "rollback"), 0)
        require(in_use(root) == first, f"version {first} is in use again")
        expect(llp(root, "run-flow", "retrain"), 0)
        require(in_use(root) == first, "the next night leaves it at that")


def prepare(root: Path) -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    """Makes the project of the first day; the nodes and edges of each day, the first one's included."""
    for name in ("dvc.yaml", "params.yaml", ".dvcignore", ".dvc/config", ".gitignore"):
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    nodes, edges = (pd.read_csv(EXAMPLE / name, dtype=str) for name in ("nodes.csv", "edges.csv"))
    # 70 of 100 nodes are there from the start; 10 come each day.
    day = pd.Series(
        [max(0, number % 100 // 10 - 6) for number in node_hashes(tuple(nodes["id"])).tolist()], nodes["id"]
    )
    comes = pd.concat([edges["source"].map(day), edges["target"].map(day)], axis=1).max(axis=1)
    days = [(nodes[(day == number).to_numpy()], edges[(comes == number).to_numpy()]) for number in range(4)]
    (root / "data" / "embedded").mkdir(parents=True)
    days[0][0].to_csv(root / "data" / "embedded" / "nodes.csv", index=False)
    days[0][1].to_csv(root / "data" / "embedded" / "edges.csv", index=False)
    params = yaml.safe_load((root / "params.yaml").read_text())
    params["data"]["files"] |= {"nodes": "data/embedded/nodes.csv", "edges": "data/embedded/edges.csv"}
    (root / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)  # noqa: S607
    return days


def drop(root: Path, day: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    """Puts a day's files where the next night finds them."""
    incoming = root / "data" / "incoming"
    incoming.mkdir(parents=True, exist_ok=True)
    number = len(list((root / "data" / "versions").glob("*.json")))
    for name, table in zip(("nodes", "edges"), day, strict=True):
        table.to_csv(incoming / f"day{number}-{name}.csv", index=False)
    print(f"(data/incoming: {len(day[0])} nodes, {len(day[1])} edges)")


def llp(root: Path, *command: str) -> int:
    """Runs a command and prints the end of what it says; its exit code."""
    print(f"$ llp {' '.join(command)}", flush=True)
    environment = os.environ | {"PREFECT_HOME": str(root / ".prefect")}
    program = Path(sys.executable).with_name("llp")
    done = subprocess.run(
        [str(program), *command], cwd=root, env=environment, stdout=subprocess.PIPE, text=True, check=False
    )
    lines = [line for line in done.stdout.splitlines() if line and not line.startswith("|")]
    print("\n".join(lines[-SHOWN:]))
    if done.returncode:
        print(f"(exit code {done.returncode})")
    print(flush=True)
    return done.returncode


def in_use(root: Path) -> int:
    """The version of the models in use."""
    return int(json.loads((root / "models" / "champion.json").read_text())["version"])


def told(what: str) -> None:
    """Prints a heading."""
    print(f"## {what}\n", flush=True)


def expect(code: int, *allowed: int) -> None:
    """Ends the script where a command ended otherwise."""
    require(code in allowed, f"it ended with exit code {code}")


def require(holds: bool, what: str) -> None:
    """Says that something holds, or ends the script."""
    if not holds:
        sys.exit(f"It does not hold that {what}.")
    print(f"-> {what}\n", flush=True)


if __name__ == "__main__":
    main()
