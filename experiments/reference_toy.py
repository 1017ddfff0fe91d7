"""Trains or times the PyTorch reference implementation on one of this project's configurations of points.

    PYTHONPATH=residual-flows python experiments/reference_toy.py configs/toy/pinwheel.toml --seconds 300
    PYTHONPATH=residual-flows python experiments/reference_toy.py configs/toy/pinwheel_paper.toml --steps 5

needs PyTorch, scikit-learn and a checkout of https://github.com/rtqichen/residual-flows. The architecture is the
configuration's, everything else as in the reference implementation's script: Adam with learning rate 1e-3, batches of 500, geometric
roulette after 2 exact terms, 5 power iterations. Prints one JSON object: the median seconds of a step, and the exact
negative log-likelihood (nats) of 10,000 test points (--test-points). Training ends after --steps, or --seconds of processor
time divided by the number of threads (--threads), so that other work on the machine does not count.
"""

import argparse
import json
import statistics
import time
import tomllib

import numpy as np
import resflows.layers as layers
import resflows.layers.base as base
import resflows.optimizers as optimizers
import resflows.toy_data as toy_data
import torch


def network(widths, bound, preactivation):
    parts = []
    for first, second in zip(widths[:-1], widths[1:]):
        if parts or preactivation:
            parts.append(base.Swish())
        parts.append(
            base.get_linear(
                first, second, coeff=bound, n_iterations=5, domain=2, codomain=2, zero_init=second == widths[-1]
            )
        )
    return torch.nn.Sequential(*parts)


def build(model):
    blocks = model["blocks"][0]
    widths = [2] + [model["hidden_channels"]] * (len(model["kernels"]) - 1) + [2]
    bound, preactivation = model.get("lipschitz_bound", 0.98), model.get("preactivation", True)
    act_norm = model.get("act_norm", True)
    chain = [layers.ActNorm1d(2)] if act_norm else []
    for _ in range(blocks):
        net = network(widths, bound, preactivation)
        chain.append(layers.iResBlock(net, n_dist="geometric", neumann_grad=False))
        if act_norm:
            chain.append(layers.ActNorm1d(2))
    return layers.SequentialFlow(chain)


def points(name, n):
    return torch.from_numpy(np.asarray(toy_data.inf_train_gen(name, batch_size=n))).float()


def loss(flow, x):
    z, delta = flow(x, torch.zeros(len(x), 1))
    return (0.5 * z.pow(2) + 0.5 * np.log(2 * np.pi)).sum(1).mean() + delta.mean()


def update_lipschitz(flow, iterations):
    with torch.no_grad():
        for module in flow.modules():
            if isinstance(module, base.InducedNormLinear):
                module.compute_weight(update=True, n_iterations=iterations)


def test_loss(flow, name, n):
    """The exact loss of n points, of a few at a time: the reference implementation keeps a graph through all blocks even here."""
    flow.eval()
    np.random.seed(12345)
    total = 0.0
    for batch in points(name, n).split(500):
        total += loss(flow, batch).item() * len(batch)
    return total / n


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("config")
    arguments.add_argument("--learning-rate", type=float, default=1e-3)
    arguments.add_argument("--test-points", type=int, default=10_000, help="0: no test")
    arguments.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments.add_argument("--steps", type=int, default=10**9)
    arguments.add_argument("--seconds", type=float, default=float("inf"))
    arguments.add_argument("--seed", type=int, default=0)
    arguments = arguments.parse_args()
    with open(arguments.config, "rb") as file:
        config = tomllib.load(file)
    name = config["data"]["points"]
    torch.set_num_threads(arguments.threads)
    np.random.seed(arguments.seed)
    torch.manual_seed(arguments.seed)
    flow = build(config["model"])
    optimizer = optimizers.Adam(flow.parameters(), lr=arguments.learning_rate, weight_decay=1e-5)
    flow.train()
    used, seconds = 0.0, []
    while len(seconds) < arguments.steps and used < arguments.seconds:
        start, start_wall = time.process_time(), time.perf_counter()
        optimizer.zero_grad()
        loss(flow, points(name, 500)).backward()
        optimizer.step()
        update_lipschitz(flow, 5)
        used += (time.process_time() - start) / torch.get_num_threads()
        seconds.append(time.perf_counter() - start_wall)
    update_lipschitz(flow, 200)
    test = test_loss(flow, name, arguments.test_points) if arguments.test_points else None
    result = {"points": name, "steps": len(seconds), "step_seconds": statistics.median(seconds)}
    print(json.dumps(result | {"processor_seconds": used, "test_nll_nats": test}))


main()
