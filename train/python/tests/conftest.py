"""Small models that tests share, and the installed programs."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import residual_flows
from residual_flows import Flow

#: The repository's root.
REPOSITORY = Path(__file__).resolve().parents[3]
#: Settings of a model that is trained in a second.
SMALL: dict[str, Any] = {
    "model.blocks": [2],
    "run.max_steps": 20,
    "run.sample_at_start": False,
    "run.sample_every_epochs": 0,
    "run.n_samples": 5,
    "run.tensorboard": False,
}
SMALL_IMAGES: dict[str, Any] = {**SMALL, "model.blocks": [1, 1], "model.hidden_channels": 16}


def program(name: str) -> str:
    """The path of an installed command."""
    return str(Path(sys.executable).with_name(name))


def run(*arguments: object, cwd: Path, fails: bool = False) -> subprocess.CompletedProcess[str]:
    """Runs an installed command."""
    name, *rest = map(str, arguments)
    done = subprocess.run([program(name), *rest], cwd=cwd, capture_output=True, text=True)
    assert (done.returncode != 0) == fails, f"{arguments}: {done.returncode}: {done.stderr}"
    return done


@pytest.fixture(scope="session")
def moons_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of points on the plane."""
    out = tmp_path_factory.mktemp("runs") / "moons"
    residual_flows.fit("toy/moons", settings={**SMALL, "data.test_points": 500}, out=out, progress=False)
    return out


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of images, with the estimator of large ones."""
    out = tmp_path_factory.mktemp("runs") / "digits"
    settings = {**SMALL_IMAGES, "log_det.eval.method": "series", "run.eval_batch_size": 64}
    residual_flows.fit("digits", settings=settings, out=out, progress=False)
    return out


@pytest.fixture(scope="session")
def moons(moons_run: Path) -> Flow:
    return residual_flows.load(moons_run)


@pytest.fixture(scope="session")
def digits(digits_run: Path) -> Flow:
    return residual_flows.load(digits_run)


@pytest.fixture(scope="session")
def images() -> Any:
    """Dequantised digits, float32."""
    return residual_flows.dequantize(residual_flows.load_shards("shipped:digits")["test"].images, 17)
