"""Trains the eight quick configurations of points, evaluates them exactly and integrates their densities.

    cargo build --release && python experiments/toy.py

needs Python only. Prints one line of a Markdown table for each; runs are in experiments/runs/toy, with the pictures. Names as
arguments train only those, --program is the program, --seed the seed of the runs.
"""

import argparse
import json
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAMES = ["swissroll", "8gaussians", "pinwheel", "circles", "moons", "2spirals", "checkerboard", "rings"]


def run(*arguments):
    output = subprocess.run(arguments, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
    return json.loads(output)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("names", nargs="*", default=NAMES)
    arguments.add_argument("--program", default="target/release/train")
    arguments.add_argument("--seed", type=int, default=0)
    arguments = arguments.parse_args()
    print("| distribution | steps | training, s | with pictures, s | test NLL, nats | integral |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name in arguments.names:
        out = f"experiments/runs/toy/{name}"
        settings = ["--config", f"configs/toy/{name}.toml", "--set", f"run.seed={arguments.seed}"]
        summary = run(arguments.program, *settings, "--out", out, "--force", "--json")
        checkpoint = summary["checkpoint"]
        test = run(arguments.program, "evaluate", checkpoint, "--exact", "--json")
        density = run(arguments.program, "density", checkpoint, "--integrate", "--exact", "--json")
        seconds = f"{summary['training_seconds']:.0f} | {summary['wall_seconds']:.0f}"
        loss = f"{test['nll_nats']:.4f} ± {test['standard_error']:.4f}"
        print(f"| {name} | {summary['steps']} | {seconds} | {loss} | {density['integral']:.5f} |", flush=True)


main()
