"""Estimates the entropies of the eight distributions of points, below which no model's negative log-likelihood can be.

    PYTHONPATH=residual-flows python experiments/toy_entropy.py

needs numpy, scikit-learn and a checkout of https://github.com/rtqichen/residual-flows, whose generators it draws from. Counts four
million points in fields 0.02 wide, `-Σ p ln p + 2 ln 0.02`, with Miller and Madow's correction for finite counts, (fields - 1) / 2n.
Fields that wide add at most 0.003 nats, on rings.
"""

import argparse

import numpy as np
import resflows.toy_data as toy_data

NAMES = ["swissroll", "8gaussians", "pinwheel", "circles", "moons", "2spirals", "checkerboard", "rings"]
WIDTH, HALF_SIDE = 0.02, 8.0


def entropy(name, n, batch=100_000):
    edges = np.arange(-HALF_SIDE, HALF_SIDE + WIDTH / 2, WIDTH)
    counts = 0
    for _ in range(n // batch):
        points = np.asarray(toy_data.inf_train_gen(name, batch_size=batch))
        counts = counts + np.histogram2d(points[:, 0], points[:, 1], bins=edges)[0]
    counts = counts[counts > 0]
    p = counts / counts.sum()
    return -(p * np.log(p)).sum() + 2 * np.log(WIDTH) + (len(p) - 1) / (2 * n)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("names", nargs="*", default=NAMES)
    arguments.add_argument("--n", type=int, default=4_000_000)
    arguments = arguments.parse_args()
    np.random.seed(0)
    for name in arguments.names:
        print(f"{name} {entropy(name, arguments.n):.4f}", flush=True)


main()
