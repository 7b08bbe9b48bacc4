"""Stages of a pipeline of the real one's form, with bodies that take no time: `run_stage`, and a program of it."""

import json
import shutil
import sys
import time
from pathlib import Path

import yaml

SETTINGS = ("transductive", "production", "cold_start")
READS = {
    "prepare": ["input.txt"],
    "split": ["data/prepare"],
    "teacher": ["data/{setting}/split"],
    "student": ["data/{setting}/teacher"],
    "latency": ["data/{setting}/student"],
    "report": [f"data/{setting}" for setting in SETTINGS],
}
PARAMS = {"prepare": "data", "split": "split", "teacher": "teacher", "student": "student", "latency": "latency"}


def dvc_yaml() -> str:
    """The dvc.yaml of these stages."""
    stages = {}
    for name, reads in READS.items():
        per_setting = name not in ("prepare", "report")
        setting = " ${item.setting}" if per_setting else ""
        stages[name] = {
            "cmd": f"{sys.executable} {__file__} {name}{setting}",
            "deps": [path.format(setting="${item.setting}") for path in reads],
            "outs": [f"data/${{item.setting}}/{name}" if per_setting else f"data/{name}"],
        }
        if name in PARAMS:
            stages[name]["params"] = [PARAMS[name]]
        if per_setting:
            stages[name]["matrix"] = {"setting": list(SETTINGS)}
    stages["latency"]["meta"] = {"alone": True}
    stages["prepare"]["meta"] = {"retries": 2}
    return yaml.safe_dump({"stages": stages}, sort_keys=False, width=1_000_000)  # a command stays on one line


def run_stage(name: str, setting: str | None = None) -> None:
    """Writes what the stage read and its section of params.yaml; keeps calls.log; fails if told to in fail.txt."""
    started = time.monotonic()
    address = f"{name}@{setting}" if setting else name
    output = Path("data", setting or "", name)
    temporary = output.with_name(f".{name}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    params = yaml.safe_load(Path("params.yaml").read_text()).get(PARAMS.get(name, ""))
    read = [path.format(setting=setting) for path in READS[name]]
    (temporary / "out.json").write_text(json.dumps({"params": params, "read": read}))
    time.sleep(0.05)
    with Path("calls.log").open("a") as calls:
        calls.write(f"{address} {started} {time.monotonic()}\n")
    _fail_if_told(address)
    shutil.rmtree(output, ignore_errors=True)
    temporary.rename(output)


def _fail_if_told(address: str) -> None:
    """Lines of fail.txt: an address, the kind of error, and how many more times it comes."""
    told = Path("fail.txt")
    lines = [line.split() for line in told.read_text().splitlines()] if told.exists() else []
    for line in lines:
        if line[0] == address and int(line[2]) > 0:
            line[2] = str(int(line[2]) - 1)
            told.write_text("\n".join(" ".join(each) for each in lines))
            from llp_core import errors

            raise getattr(errors, line[1], RuntimeError)(f"told to fail in {address}")


if __name__ == "__main__":
    run_stage(*sys.argv[1:])
