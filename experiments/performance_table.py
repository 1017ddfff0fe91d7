"""Prints how many times faster and smaller `bench` is than the PyTorch reference implementation, as a Markdown table.

    cargo build --release --bin bench
    PYTHONPATH=residual-flows python experiments/performance_table.py [CONFIGURATION:BATCH ...]

runs both programs in turn on each configuration, several times, and takes medians: what else the machine does hits both.
What is measured is what `reference_speed.py` and `bench` say, each in a process of its own, and sampling once more after
training steps in the same process.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
DEFAULT = ["mnist_small:64", "cifar10_small:32", "mnist:8", "cifar10:4", "celebahq256:1"]
# The reference implementation needs most of an hour to evaluate these.
STEP_ONLY = {"celebahq256"}
PARTS = ["step", "evaluate", "encode", "sample"]
# What a process measures. After a training step, PyTorch's allocations are quicker than in a process that only samples.
PROCESSES = ["step", "evaluate", "encode", "sample", "step+sample"]


def output(command):
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.splitlines()[-1])


def measure(arguments, name, batch):
    """Medians of both programs' rounds; a key has the parts measured in its process and the number's name."""
    config = str(HERE.parent / "configs" / f"{name}.toml")
    common = [config, "--batch", batch, "--repeats", str(arguments.repeats)]
    programs = [[arguments.bench, "--json", "--config", *common], [sys.executable, str(HERE / "reference_speed.py"), *common]]
    processes = ["step"] if name in STEP_ONLY else PROCESSES
    results = [{}, {}]
    for _ in range(arguments.rounds):
        for process in processes:
            skip = ",".join(part for part in PARTS if part not in process.split("+"))
            for program, numbers in zip(programs, results):
                found = output(program + ["--skip", skip])
                for key, value in found.items():
                    if isinstance(value, (int, float)):
                        numbers.setdefault((process, key), []).append(value)
                print(f"{name}, {process}: {found}", file=sys.stderr)
    return [{key: statistics.median(values) for key, values in numbers.items()} for numbers in results]


def cell(ours, theirs, key):
    if key not in ours:
        return ""
    scale, unit = (1e6, " MB") if key[1] == "peak_memory_bytes" else (1, " s")
    return f"{theirs[key] / scale:.3g} / {ours[key] / scale:.3g}{unit} = {theirs[key] / ours[key]:.1f}"


def row(name, batch, ours, theirs):
    keys = [("step", "step_seconds"), ("step", "peak_memory_bytes")]
    keys += [(part, f"{part}_seconds") for part in PARTS[1:]] + [("step+sample", "sample_seconds")]
    cells = [f"`{name}`, {batch}"] + [cell(ours, theirs, key) for key in keys]
    rate, gemm = (ours["step", key] for key in ("step_gflops", "gemm_gflops"))
    cells.append(f"{rate:.0f} of {gemm:.0f} GFLOP/s, {100 * rate / gemm:.0f} %")
    return "| " + " | ".join(cells) + " |"


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("configurations", nargs="*", default=DEFAULT, metavar="CONFIGURATION:BATCH")
    arguments.add_argument("--bench", default=str(HERE.parent / "target" / "release" / "bench"))
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--repeats", type=int, default=3)
    arguments = arguments.parse_args()
    print("| configuration, batch | step | peak memory | evaluation | encode | sample | sample after training | rate of a step |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for configuration in arguments.configurations:
        name, batch = configuration.split(":")
        print(row(name, batch, *measure(arguments, name, batch)), flush=True)


main()
