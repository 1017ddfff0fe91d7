"""Prints how many times faster and smaller `bench` is than the PyTorch research code, as a Markdown table.

    cargo build --release --bin bench
    PYTHONPATH=residual-flows python experiments/performance_table.py [CONFIGURATION:BATCH ...]

runs both programs in turn on each configuration, several times, and takes medians: what else the machine does hits both.
What is measured is what `reference_speed.py` and `bench` say. The inverse is solved twice: to this project's own tolerance,
and (in parentheses) to about the one at which the research code stops, 3e-3.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
DEFAULT = ["mnist_small:64", "cifar10_small:32", "mnist:8", "cifar10:4", "celebahq256:1"]
# The research code needs most of an hour to evaluate these.
STEP_ONLY = {"celebahq256"}


def output(command):
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.splitlines()[-1])


def measure(arguments, name, batch):
    config = str(HERE.parent / "configs" / f"{name}.toml")
    skip = ["--skip", "evaluate,encode,sample"] if name in STEP_ONLY else []
    ours, theirs, loose = [], [], []
    for _ in range(arguments.rounds):
        bench = [arguments.bench, "--config", config, "--batch", batch, "--repeats", str(arguments.repeats), "--json"]
        ours.append(output(bench + skip))
        if not skip:
            loose.append(output(bench + ["--skip", "step,evaluate,encode", "--set", "model.fixed_point.tol=3e-3"]))
        reference = [sys.executable, str(HERE / "reference_speed.py"), config, "--batch", batch]
        theirs.append(output(reference + ["--repeats", str(arguments.repeats)] + skip))
        print(f"{name}: {ours[-1]} {theirs[-1]}", file=sys.stderr)
    return ours, theirs, loose


def median(results, key):
    values = [result[key] for result in results if result.get(key) is not None]
    return statistics.median(values) if values else None


def row(name, batch, ours, theirs, loose):
    cells = [f"`{name}`, {batch}"]
    for key in ["step_seconds", "peak_memory_bytes", "evaluate_seconds", "encode_seconds", "sample_seconds"]:
        a, b = median(ours, key), median(theirs, key)
        if a is None or b is None:
            cells.append("")
            continue
        scale, unit = (1e6, " MB") if key == "peak_memory_bytes" else (1, " s")
        cell = f"{b / scale:.3g} / {a / scale:.3g}{unit} = {b / a:.1f}"
        if key == "sample_seconds":
            cell += f" ({b / median(loose, key):.1f})"
        cells.append(cell)
    rate, gemm = median(ours, "step_gflops"), median(ours, "gemm_gflops")
    cells.append(f"{rate:.0f} of {gemm:.0f} GFLOP/s, {100 * rate / gemm:.0f} %")
    return "| " + " | ".join(cells) + " |"


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("configurations", nargs="*", default=DEFAULT, metavar="CONFIGURATION:BATCH")
    arguments.add_argument("--bench", default=str(HERE.parent / "target" / "release" / "bench"))
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--repeats", type=int, default=3)
    arguments = arguments.parse_args()
    print("| configuration, batch | step | peak memory | evaluation | encode | sample | rate of a step |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for configuration in arguments.configurations:
        name, batch = configuration.split(":")
        print(row(name, batch, *measure(arguments, name, batch)), flush=True)


main()
