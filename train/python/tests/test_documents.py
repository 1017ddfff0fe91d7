"""What the page and the notebook show runs, and types are what they say."""

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from conftest import REPOSITORY, SMALL
from nbclient import NotebookClient

PACKAGE = REPOSITORY / "train/python"


def test_examples_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = (PACKAGE / "README.md").read_text()
    examples = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(examples) == 4
    table = np.random.default_rng(0).normal(size=(200, 2))
    images = np.random.default_rng(0).integers(17, size=(100, 1, 8, 8))
    names = {"np": np, "table": table, "new": table[:5], "images": images}
    for example in examples:
        # As it stands, but for the time that it takes.
        quick = example.replace("1000}", "20}").replace("max_steps=500", "max_steps=20")
        quick = quick.replace('"run.patience": 10}', '"run.patience": 10, "run.max_steps": 20}')
        quick = quick.replace('"digits", levels=17)', f'"digits", levels=17, settings={SMALL})')
        exec(compile(quick, "README.md", "exec"), names)


def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPS", "20")
    notebook = nbformat.read(PACKAGE / "notebooks/tour.ipynb", as_version=4)
    nbformat.validate(notebook)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    said = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))
    assert "bits per dimension" in said and "nats" in said
    assert (tmp_path / "rows.safetensors").exists()


@pytest.mark.parametrize("checker", [["mypy", "--strict", "--package", "residual_flows"], ["mypy.stubtest", "residual_flows._native"]])
def test_types_are_what_they_say(checker: list[str], tmp_path: Path) -> None:
    (tmp_path / "mypy.ini").write_text("[mypy]\n[mypy-sklearn.*,tqdm.*]\nignore_missing_imports = True\n")
    done = subprocess.run([sys.executable, "-m", *checker], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
