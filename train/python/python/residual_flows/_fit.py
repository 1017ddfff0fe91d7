"""Training."""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Callable, Mapping
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np

from . import _native
from ._arrays import numbers, pixels
from ._flow import Flow

#: The part of the images of an array that is for testing.
TEST_FRACTION = 0.1

_Config = str | PathLike[str] | Mapping[str, Any]
_Callback = Callable[[dict[str, Any]], object]


def shipped_configurations() -> list[str]:
    """The names of the configurations that are part of the package, such as `"digits"` and `"toy/moons"`."""
    return _native.shipped_configurations()


def fit(
    data: Any = None,
    config: _Config | None = None,
    *,
    settings: Mapping[str, Any] | None = None,
    labels: Any = None,
    levels: int = 256,
    out: str | PathLike[str] | None = None,
    overwrite: bool = False,
    callback: _Callback | None = None,
    progress: bool = True,
    weights: str = "average",
) -> Flow:
    """Train a model, exactly as the program `train` does, and return the best one by its validation samples.

    Parameters
    ----------
    data
        A table, `[n, d]`, of numbers in any units, without missing values; the names of columns of a pandas `DataFrame` are kept.
        Or images, whole numbers below `levels`, of shape `[n, channels, height, width]`. A tenth is for testing, and a tenth of
        the rest for validation. `None` if `config` says where the data are; a string or a path is taken for `config`.
    config
        All settings: a TOML file, the name of a shipped configuration (see `shipped_configurations`), or a dictionary with a
        dictionary for each section. Tables have `"tabular"` by default.
    settings
        Changes of single settings, such as `{"run.max_steps": 500, "run.patience": 5}`. `train config --explain KEY` explains them.
    labels
        The classes of images, whole numbers from 0, `[n]`, for tasks with classes.
    levels
        The number of values that a pixel can take.
    out
        The directory of the run, with checkpoints, metrics and pictures: `train report`, `evaluate` and `--resume` take it. Arrays
        are written there too, as `data`. Without it, only the model remains.
    overwrite
        Replace the run that is in `out`.
    callback
        Called with each record of the run, a dictionary as in `metrics.jsonl`: of training steps (with `learning_rate`), of
        evaluations (`validation_bits_per_dim` of images, `validation_nll_nats` of points), and of warnings (`warning`). The first
        has `step` and `total_steps`. Where it returns `False`, training ends, and the best model so far is returned; an exception
        ends it too.
    progress
        Show a bar, if tqdm is installed.
    weights
        `"average"` or `"raw"`, as in `load`.

    Raises
    ------
    ValueError
        If settings and data do not fit each other, with what was expected.
    FileExistsError
        If there is a run in `out` already.
    KeyboardInterrupt
        At Ctrl-C; the run is saved, and `train --resume` goes on with it.
    """
    if isinstance(data, (str, PathLike)):
        if config is not None:
            raise ValueError(f"data is {fspath(data)!r}, expected an array: config says which settings are used")
        data, config = None, data
    if data is None and config is None:
        raise ValueError("there is nothing to do: expected data, a configuration, or both")
    if out is None:
        with tempfile.TemporaryDirectory(prefix="residual-flows-") as dir:
            quiet = {"run.tensorboard": False, "run.sample_at_start": False, "run.sample_every_epochs": 0, "run.n_samples": 1}
            quiet.update({"run.keep_best": 1, "checkpoint.keep": 1, "checkpoint.every_minutes": 0})
            changes = {**quiet, **(settings or {})}
            flow = _fit(data, config, changes, labels, levels, Path(dir) / "run", False, callback, progress, weights)
        # Files that are gone.
        flow.summary = {key: value for key, value in (flow.summary or {}).items() if not key.endswith("checkpoint")}
        return flow
    return _fit(data, config, dict(settings or {}), labels, levels, Path(out).absolute(), overwrite, callback, progress, weights)


def _fit(
    data: Any,
    config: _Config | None,
    settings: dict[str, Any],
    labels: Any,
    levels: int,
    out: Path,
    overwrite: bool,
    callback: _Callback | None,
    progress: bool,
    weights: str,
) -> Flow:
    if data is not None:
        if (out / "files.jsonl").exists() and not overwrite:
            raise FileExistsError(f"{out} holds a run already; choose another directory, or set overwrite")
        config, changes = _store(data, config, labels, levels, out / "data", seed=settings.get("data.split_seed", 0))
        settings = {**changes, **settings}
    elif labels is not None:
        raise ValueError("labels are given without data")
    changes_as_text = [f"{key}={_toml(value)}" for key, value in settings.items()]
    text = json.dumps(config) if isinstance(config, Mapping) else None
    name = "" if isinstance(config, Mapping) or config is None else fspath(config)
    with _Bar(progress) as bar:

        def hear(text: str) -> bool:
            record = json.loads(text)
            bar.hear(record)
            if "warning" in record:
                warnings.warn(f"step {record['step']}: {record['warning']}", RuntimeWarning, stacklevel=2)
            return callback is None or callback(record) is not False

        summary = json.loads(_native.fit(name, text, changes_as_text, out, overwrite, hear))
    return Flow(_native.Flow.load(out, weights, "auto"), summary)


def _store(
    data: Any, config: _Config | None, labels: Any, levels: int, to: Path, seed: int
) -> tuple[_Config, dict[str, Any]]:
    """Writes data where the run finds them; the configuration, and the settings that name them."""
    dimensions = np.ndim(data)
    if dimensions == 2:
        if labels is not None:
            raise ValueError("labels are of images, but data is a table")
        names = [str(name) for name in data.columns] if hasattr(data, "columns") else None
        table = numbers(data, "data")
        to.mkdir(parents=True, exist_ok=True)
        reading: dict[str, Any]
        if names is None:
            # Named, so that no column is taken for an index.
            file, reading = to / "table.npy", {"data.columns": [f"x{number + 1}" for number in range(table.shape[1])]}
            np.save(file, table)
        else:
            # Nothing is to be found out by rule.
            file = to / "table.csv"
            reading = {"data.columns": names, "data.header": True, "data.delimiter": ",", "data.decimal": "."}
            _native.write_table(file, table, names, True)
        return _with_data("tabular" if config is None else config, "file"), {"data.file": str(file), **reading}
    if dimensions != 4:
        raise ValueError(f"data has shape {list(np.shape(data))}, expected a table [n, d] or images [n, channels, height, width]")
    if config is None:
        raise ValueError("images need a configuration, such as config=\"digits\" for small ones or \"cifar10_small\"")
    images = pixels(data, "data")
    to.mkdir(parents=True, exist_ok=True)
    classes = None if labels is None else np.ascontiguousarray(labels, dtype=np.uint32)
    order = np.random.default_rng(seed).permutation(len(images))
    n_test = max(1, round(TEST_FRACTION * len(images)))
    for split, part in [("test", np.sort(order[:n_test])), ("train", np.sort(order[n_test:]))]:
        of_part = None if classes is None else classes[part]
        _native.write_images(to, split, images[part], of_part, levels, True)
    return _with_data(config, "path"), {"data.path": str(to), "data.shape": list(images.shape[1:])}


def _with_data(config: _Config, key: str) -> _Config:
    """A dictionary need not say where data are that are given."""
    if isinstance(config, Mapping):
        return {**config, "data": {**config.get("data", {}), key: "data"}}
    return config


def _toml(value: Any) -> str:
    """A value as TOML, which is JSON but for dictionaries."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(str(key))} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, PathLike):
        value = fspath(value)
    return json.dumps(value.item() if isinstance(value, np.generic) else value)


class _Bar:
    """A bar of the run's steps, where tqdm is installed and there is one to be shown."""

    def __init__(self, is_shown: bool) -> None:
        self._is_shown = is_shown
        self._bar: Any = None
        self._losses: dict[str, str] = {}

    def hear(self, record: dict[str, Any]) -> None:
        if "total_steps" in record and self._is_shown:
            try:
                from tqdm.auto import tqdm
            except ImportError:
                return
            self._bar = tqdm(total=record["total_steps"], initial=record["step"], unit="step")
        if self._bar is None or "step" not in record:
            return
        self._bar.update(record["step"] - self._bar.n)
        for key, value in record.items():
            if key.endswith(("bits_per_dim", "nll_nats", "cross_entropy")):
                self._losses[key] = f"{value:.4f}"
        self._bar.set_postfix(self._losses)

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
