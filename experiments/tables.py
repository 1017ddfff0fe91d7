"""Densities of small tables: a flow with its default settings against a Gaussian mixture and a kernel estimate.

    python experiments/tables.py --train target/release/train --out experiments/tables

needs numpy and scikit-learn. Each table (iris, wine, breast cancer and diabetes of scikit-learn) is divided ten times at random, four
fifths for training and validation and one fifth for testing. The flow is configs/tabular.toml with nothing but the files set. The
mixture (1 to 10 components, full, diagonal or tied covariances, four regularisations) and the kernel estimate (Gaussian, 30
bandwidths) are chosen by the same validation points as the flow's weights, and then fitted to the same training points.
Everything is measured in the mean of -ln p(x) over the test points, in nats of the table's own units.
"""

import argparse
import json
import os
import subprocess
import tempfile
import warnings

import numpy as np
from sklearn import datasets
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity

TABLES = {
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
    "breast cancer": datasets.load_breast_cancer,
    "diabetes": datasets.load_diabetes,
}


def divide(points, seed):
    """Training, validation and test points: 72, 8 and 20 % of the whole."""
    order = np.random.default_rng(seed).permutation(len(points))
    n_test, n_validation = round(0.2 * len(points)), round(0.08 * len(points))
    test, validation, train = np.split(order, [n_test, n_test + n_validation])
    return points[train], points[validation], points[test]


def chosen(models, train, validation, test):
    """The test loss of the model with the best validation loss, all of them fitted to standardised training points."""
    mean, std = train.mean(0), train.std(0)
    train, validation, test = ((part - mean) / std for part in (train, validation, test))
    best = max((model.fit(train) for model in models), key=lambda model: model.score_samples(validation).mean())
    return np.log(std).sum() - best.score_samples(test).mean()


def mixtures():
    for kind in ("full", "tied", "diag"):
        for components in range(1, 11):
            for regularisation in (1e-6, 1e-3, 1e-2, 1e-1):
                yield GaussianMixture(components, covariance_type=kind, reg_covar=regularisation, random_state=0)


def kernels():
    return (KernelDensity(bandwidth=bandwidth) for bandwidth in np.geomspace(0.05, 3, 30))


def flow(program, config, settings, parts, seed):
    """The test loss of a flow, and what its run said of itself."""
    with tempfile.TemporaryDirectory() as folder:
        names = [os.path.join(folder, f"{name}.csv") for name in ("train", "validation", "test")]
        header = ",".join(f"x{column}" for column in range(parts[0].shape[1]))
        for name, part in zip(names, parts):
            np.savetxt(name, part, delimiter=",", header=header, comments="", fmt="%.17g")
        sets = [f"data.file={names[0]}", f"data.validation_file={names[1]}", f"data.test_file={names[2]}", f"run.seed={seed}"]
        command = [program, "--config", config, "--json", "--out", os.path.join(folder, "run")]
        for setting in sets + settings:
            command += ["--set", setting]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode != 0:
            raise SystemExit(result.stderr)
        return json.loads(result.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", default="target/release/train", help="the program")
    parser.add_argument("--config", default="configs/tabular.toml")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE")
    parser.add_argument("--tables", nargs="*", default=list(TABLES), choices=list(TABLES))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--out", help="also writes OUT.json")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    results = {}
    print("| table | points, columns | mixture | kernel estimate | flow | flow - best other | steps, seconds |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name in arguments.tables:
        points = TABLES[name]().data
        rows = []
        for seed in range(arguments.seeds):
            parts = divide(points, seed)
            summary = flow(arguments.train, arguments.config, arguments.set, parts, seed)
            rows.append(
                {
                    "seed": seed,
                    "mixture": chosen(mixtures(), *parts),
                    "kernel": chosen(kernels(), *parts),
                    "flow": summary["test_nll_nats"],
                    "last_validation": summary["validation_nll_nats"],
                    "best_validation": summary["best_validation_nll_nats"],
                    "steps": summary["steps"],
                    "best_step": summary["best_step"],
                    "seconds": summary["wall_seconds"],
                }
            )
        results[name] = rows
        column = lambda key: np.array([row[key] for row in rows])
        error = lambda values: values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else float("nan")
        shown = lambda values: f"{values.mean():.3f} ± {error(values):.3f}"
        best = min(("mixture", "kernel"), key=lambda key: column(key).mean())
        print(
            f"| {name} | {points.shape[0]}, {points.shape[1]} | {shown(column('mixture'))} | {shown(column('kernel'))} | "
            f"{shown(column('flow'))} | {shown(column('flow') - column(best))} | "
            f"{column('steps').mean():.0f}, {column('seconds').mean():.0f} |",
            flush=True,
        )
    if arguments.out:
        with open(arguments.out + ".json", "w") as file:
            json.dump(results, file, indent=1)


if __name__ == "__main__":
    main()
