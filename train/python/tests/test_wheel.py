"""The wheel is all that a machine without Rust needs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY

WHEEL = os.environ.get("RESIDUAL_FLOWS_WHEEL")


@pytest.mark.skipif(WHEEL is None, reason="RESIDUAL_FLOWS_WHEEL names no wheel")
def test_a_new_environment_trains_digits_and_runs_the_first_example(tmp_path: Path) -> None:
    assert WHEEL is not None
    wheel = Path(WHEEL).resolve()
    assert "-abi3-" in wheel.name
    subprocess.run([sys.executable, "-m", "venv", "venv"], cwd=tmp_path, check=True)
    bin = tmp_path / "venv/bin"
    # No compiler is found, and no program of the repository.
    alone = {"PATH": f"{bin}:/usr/bin:/bin", "HOME": str(tmp_path)}
    kept = {name: value for name, value in os.environ.items() if name.startswith("PIP_") or name.endswith("_proxy")}

    def run(*arguments: object) -> str:
        done = subprocess.run([str(part) for part in arguments], cwd=tmp_path, env={**kept, **alone}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run(bin / "pip", "install", wheel)
    said = run(bin / "residual-flows", "train", "--config", "digits")
    bits = re.search(r"test bits/dim ([0-9.]+)", said)
    assert bits is not None and 1.9 < float(bits[1]) < 2.0, said
    page = (REPOSITORY / "README.md").read_text()
    example = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert example is not None
    (tmp_path / "example.py").write_text(example[1])
    run(bin / "python", "example.py")
