"""What the Python package costs beside the program: log-densities of 10,000 digits by both.

Takes an environment with the wheel of the release build (`.ci/wheel release`) and a run of `train --config digits`:

    python experiments/python_speed.py experiments/runs/digits
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import residual_flows

N = 10_000
REPEATS = 7


def program(run: Path, x: np.ndarray) -> float:
    """Seconds of `train log-prob`, reading the model and the array included."""
    with tempfile.TemporaryDirectory() as dir:
        np.save(Path(dir) / "x.npy", x)
        command = [Path(sys.executable).with_name("train"), "log-prob", run, "--input", f"{dir}/x.npy", "--output", f"{dir}/y.npy"]
        done = subprocess.run([*map(str, command), "--json"], capture_output=True, check=True)
        return float(json.loads(done.stdout)["seconds"])


def package(run: Path, x: np.ndarray) -> float:
    """The same in this process."""
    begin = time.perf_counter()
    residual_flows.load(run).log_prob(x)
    return time.perf_counter() - begin


def main() -> None:
    run = Path(sys.argv[1])
    shards = residual_flows.load_shards("shipped:digits")
    images = np.concatenate([shards["train"].images, shards["test"].images])
    x = residual_flows.dequantize(np.resize(images, (N, 1, 8, 8)), 17)
    # By turns, so that what else goes on meets both alike; the quickest are compared.
    pairs = [(program(run, x), package(run, x)) for _ in range(REPEATS)]
    of_program, of_package = map(min, zip(*pairs))
    print(f"train log-prob {of_program:.3f} s, Flow.log_prob {of_package:.3f} s: {100 * (of_package / of_program - 1):+.1f} %")


main()
