"""Models, applied to arrays."""

from __future__ import annotations

import json
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _native
from ._arrays import Numbers, numbers


def load(path: str | PathLike[str], *, weights: str = "average", device: str = "auto") -> Flow:
    """Read a model.

    Parameters
    ----------
    path
        A `.safetensors` file that `train`, `Flow.save` or the library has written, a `.pth` file of the reference implementation
        (nothing in it is executed), or the directory of a run, of which it is the best checkpoint.
    weights
        `"average"`, the moving average of the weights, which training evaluates; or `"raw"`, those of the last step.
    device
        Where to compute: `"auto"` or `"cpu"`. Wheels are built for the CPU.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is no model, or was damaged.
    """
    return Flow(_native.Flow.load(fspath(path), weights, device))


class Flow:
    """A density model of images or of points: an invertible map `f` from data to latents, with

    `ln p(x) = ln p(z) + ln|det ∂f/∂x|`, `z = f(x)`,

    where latents are standard normal, unless the setting `model.base` says otherwise.

    Images are dequantised, `(pixels + noise) / levels` in [0, 1], of shape `[n, channels, height, width]` (see `dequantize`).
    Points are in the units of their table, of shape `[n, d]`. Arrays are anything with `__array__` or DLPack; float32 images are
    used where they lie, everything else is converted. A table with named columns, such as a pandas `DataFrame`, is matched by
    name where the model knows names.

    Results are the same at every call, and those of the program `train`. The interpreter's lock is released meanwhile, and Ctrl-C
    ends a computation within seconds. Flows can be pickled and copied.

    `load` and `fit` make them.
    """

    #: What came out of training, as in the run's `summary.json`; `None` of models that `load` has read.
    summary: dict[str, Any] | None

    def __init__(self, native: _native.Flow, summary: dict[str, Any] | None = None) -> None:
        self._native = native
        self.summary = summary

    def log_prob(
        self, x: Any, *, exact: bool = False, seed: int | None = None, batch: int | None = None
    ) -> npt.NDArray[np.float64]:
        """`ln p(x)` of each sample in nats, float64 of shape `[n]`; of points per unit of their columns.

        It is estimated without bias, as in the evaluations of the model's training, whose settings (`log_det.eval` in `config`)
        may say that it is computed exactly. The density of points that single precision does not reach is 0, `-inf` here.

        Parameters
        ----------
        x
            Images `[n, channels, height, width]` or points `[n, d]`.
        exact
            Compute log-determinants from whole Jacobians, for few dimensions.
        seed
            Chooses the estimator's noise; that of the training by default.
        batch
            Samples at a time; only memory, speed and the estimator's noise depend on it.
        """
        return self._native.log_prob(self._samples(x), exact, seed, batch)

    def bits_per_dim(
        self, x: Any, *, exact: bool = False, seed: int | None = None, batch: int | None = None
    ) -> npt.NDArray[np.float64]:
        """`-ln p(x) / (D ln 2) + log2(levels)` of each image in bits per dimension, float64 of shape `[n]`.

        Bits that a lossless code built on the model spends on each of the `D` colour values. Parameters are those of `log_prob`.
        """
        return np.asarray(self._native.bits_per_dim(self.log_prob(x, exact=exact, seed=seed, batch=batch).tolist()))

    def encode(self, x: Any) -> npt.NDArray[np.float32]:
        """Latents `f(x)`, float32 of shape `[n, latent_dimensions]`."""
        return self._native.encode(self._samples(x))

    def decode(self, z: Any) -> npt.NDArray[Any]:
        """The samples of latents `[n, latent_dimensions]`: images, float32 of shape `[n, channels, height, width]`, or points,
        float64 of shape `[n, d]`.

        Raises `RuntimeError` if the inverse does not converge.
        """
        array = numbers(z, "z")
        expected = self.latent_dimensions
        if array.ndim != 2 or array.shape[1] != expected:
            raise ValueError(f"z: latents have shape {list(array.shape)}, expected [n, {expected}]")
        return self._native.decode(array)

    def sample(self, n: int, *, temperature: float = 1.0, seed: int = 0) -> npt.NDArray[Any]:
        """`n` samples: images, float32 of shape `[n, channels, height, width]` and about in [0, 1], or points, float64 of shape
        `[n, d]`.

        Parameters
        ----------
        n
            How many.
        temperature
            Narrows the distribution of latents: below 1, samples are more typical and less diverse.
        seed
            Chooses the latents; the samples are those of `train sample` with this seed.
        """
        return self._native.sample(n, temperature, seed)

    def logits(self, x: Any) -> npt.NDArray[np.float32]:
        """The classifier's logits, float32 of shape `[n, classes]`; `ValueError` of models without classes."""
        return self._native.logits(self._samples(x))

    def classify(self, x: Any) -> npt.NDArray[np.intp]:
        """The class of each image, counted from 0, of shape `[n]`; `ValueError` of models without classes."""
        classes: npt.NDArray[np.intp] = np.argmax(self.logits(x), axis=1)
        return classes

    def save(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        """Write the model into a `.safetensors` file, whole or not at all.

        `load` and `train evaluate`, `sample` and so on read it. An existing file is an error unless `overwrite` is set.
        """
        if not overwrite and Path(path).exists():
            raise FileExistsError(f"{fspath(path)} exists; choose another name, or set overwrite")
        self._native.save(fspath(path), overwrite)

    @property
    def config(self) -> dict[str, Any]:
        """All settings of the model's training, by section, as in its `config.toml`."""
        settings: dict[str, Any] = json.loads(self._native.settings())
        return settings

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a sample: `(channels, height, width)`, or `(d,)` of points."""
        return tuple(self._native.shape)

    @property
    def latent_dimensions(self) -> int:
        """The number of dimensions of latents."""
        return self._native.latent_dimensions

    @property
    def levels(self) -> int | None:
        """The number of values that a pixel can take; `None` of points."""
        return self._native.levels

    @property
    def columns(self) -> list[str] | None:
        """The names of the columns, in the model's order, of a table that had some; else `None`."""
        return self._native.columns

    @property
    def n_classes(self) -> int:
        """The number of classes that `classify` tells apart; 0 without a classifier."""
        return self._native.classes

    @property
    def step(self) -> int:
        """The number of steps of training that the weights have made."""
        return self._native.step

    def _samples(self, x: Any) -> Numbers:
        names = self.columns
        if names is not None and hasattr(x, "columns"):
            by_name = {str(name): name for name in x.columns}
            if by_name.keys() >= set(names):
                x = x[[by_name[name] for name in names]]
        return numbers(x, "x")

    def __getstate__(self) -> tuple[bytes, dict[str, Any] | None]:
        return self._native.to_bytes(), self.summary

    def __setstate__(self, state: tuple[bytes, dict[str, Any] | None]) -> None:
        native, self.summary = state
        self._native = _native.Flow.from_bytes(native)

    def __repr__(self) -> str:
        noun = "points" if self.levels is None else f"images of {self.levels} levels"
        return f"<residual_flows.Flow of {noun}, shape {self.shape}, after {self.step} steps>"
