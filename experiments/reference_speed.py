"""Times the PyTorch reference implementation on one of this project's configurations, to be compared with `bench`.

    PYTHONPATH=residual-flows python experiments/reference_speed.py configs/mnist_small.toml --batch 64

needs PyTorch and a checkout of https://github.com/rtqichen/residual-flows. Prints one JSON object with the keys of `bench`:
medians in seconds, and the process's peak memory after the training steps. A step is what the reference implementation's script does:
loss, gradient, clipping, Adam, power iterations, averaging of weights.
"""

import argparse
import json
import resource
import statistics
import time
import tomllib

import numpy as np
import resflows.layers as layers
import resflows.layers.base as base
import resflows.optimizers as optimizers
import resflows.utils as utils
import torch
from resflows.resflow import ResidualFlow


def build(config, shape):
    model = config.get("model", {})
    train = config.get("log_det", {}).get("train", {})
    channels, height, width = shape
    squeeze = layers.SqueezeLayer(2) if model.get("squeeze_first", False) else None
    if squeeze:
        channels, height, width = 4 * channels, height // 2, width // 2
    alpha = model.get("logit_alpha", 0.05)
    dense_blocks = model.get("dense_blocks", 4)
    assert dense_blocks in (0, 4), "the reference implementation has four fully connected blocks or none"
    flow = ResidualFlow(
        (1, channels, height, width),
        n_blocks=model.get("blocks", [16, 16, 16]),
        intermediate_dim=model.get("hidden_channels", 512),
        factor_out=model.get("factor_out", False),
        init_layer=layers.LogitTransform(alpha),
        actnorm=True,
        coeff=0.98,
        vnorms="2222",
        sn_atol=1e-3,
        sn_rtol=1e-3,
        n_power_series=None,
        n_dist="poisson",
        activation_fn={"lip_swish": "swish", "elu": "elu"}[model.get("activation", "lip_swish")],
        fc_end=dense_blocks == 4,
        fc_idim=model.get("dense_hidden", 128),
        n_exact_terms=train.get("n_exact_terms", 2),
        preact=True,
        neumann_grad=True,
        grad_in_forward=True,
        first_resblock=True,
    )
    return flow, squeeze, (channels, height, width)


def log_prob(flow, x):
    z, delta = flow(x, 0)
    return (-0.5 * z.pow(2) - 0.5 * np.log(2 * np.pi)).sum(1, keepdim=True) - delta


def update_lipschitz(flow):
    with torch.no_grad():
        for module in flow.modules():
            if isinstance(module, (base.InducedNormConv2d, base.InducedNormLinear)):
                module.compute_weight(update=True)


def median(repeats, action):
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("config")
    arguments.add_argument("--batch", type=int, required=True)
    arguments.add_argument("--repeats", type=int, default=3)
    arguments.add_argument("--skip", default="")
    arguments = arguments.parse_args()
    with open(arguments.config, "rb") as file:
        config = tomllib.load(file)
    torch.manual_seed(0)
    np.random.seed(0)
    shape = config["data"]["shape"]
    flow, squeeze, inner = build(config, shape)
    x = torch.rand(arguments.batch, *shape)
    x = squeeze(x) if squeeze else x
    dimensions = int(np.prod(shape))
    with torch.no_grad():
        flow(x)
    optimizer = optimizers.Adam(flow.parameters(), lr=1e-3, betas=(0.9, 0.99))
    average = utils.ExponentialMovingAverage(flow)

    def step():
        flow.train()
        loss = -log_prob(flow, x).mean() / (dimensions * np.log(2))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(flow.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        update_lipschitz(flow)
        average.apply()

    def evaluate():
        flow.eval()
        log_prob(flow, x).detach()

    def sample():
        flow.eval()
        with torch.no_grad():
            flow(torch.randn(arguments.batch, dimensions), inverse=True)

    def encode():
        flow.eval()
        with torch.no_grad():
            flow(x)

    result = {}
    for name, action in [("step", step), ("evaluate", evaluate), ("encode", encode), ("sample", sample)]:
        if name not in arguments.skip.split(","):
            action()
            result[f"{name}_seconds"] = median(arguments.repeats, action)
        if name == "step":
            result["peak_memory_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(result))


main()
