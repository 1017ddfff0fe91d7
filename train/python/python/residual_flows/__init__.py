"""Residual Flows: density models of images and of tables of numbers.

>>> import residual_flows
>>> flow = residual_flows.fit("toy/moons", settings={"run.max_steps": 200})  # doctest: +SKIP
>>> flow.log_prob([[0.0, 0.5]])  # ln p(x), nats  # doctest: +SKIP

`load` reads a model, `fit` trains one, `ResidualFlowDensity` is an estimator for scikit-learn, `load_shards` reads images that
`preprocess` has written. Log-densities are in nats, of points per unit of their columns; bits per dimension are of images.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._fit import fit, shipped_configurations
    from ._flow import Flow, load
    from ._native import __version__
    from ._shards import Shards, dequantize, load_shards
    from .density import ResidualFlowDensity

__all__ = [
    "Flow",
    "ResidualFlowDensity",
    "Shards",
    "__version__",
    "dequantize",
    "fit",
    "load",
    "load_shards",
    "shipped_configurations",
]

_PLACES = {
    "Flow": "_flow",
    "ResidualFlowDensity": "density",
    "Shards": "_shards",
    "__version__": "_native",
    "dequantize": "_shards",
    "fit": "_fit",
    "load": "_flow",
    "load_shards": "_shards",
    "shipped_configurations": "_fit",
}


def __getattr__(name: str) -> object:
    """Imports what is used: the commands need no numpy, and only the estimator needs scikit-learn."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_PLACES[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
