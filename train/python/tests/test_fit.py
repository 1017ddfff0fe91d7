"""Training is the program's own run."""

import json
import pickle
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from conftest import SMALL, SMALL_IMAGES, run

import residual_flows
from residual_flows import fit

TABLE = np.random.default_rng(1).normal([5, -3, 100], [1, 0.1, 20], (200, 3))


def test_a_run_is_that_of_the_program(tmp_path: Path) -> None:
    flow = fit("toy/moons", settings=SMALL, out=tmp_path / "here", progress=False)
    settings = [f"--set={key}={json.dumps(value)}" for key, value in SMALL.items()]
    run("train", "--config", "toy/moons", *settings, "--out", "there", cwd=tmp_path)
    for name in ["metrics.jsonl", "config.toml", "best.safetensors"]:
        here, there = (tmp_path / place / name for place in ["here", "there"])
        if name != "best.safetensors":
            assert here.read_text() == there.read_text()
    assert flow.summary is not None
    there = json.loads((tmp_path / "there/summary.json").read_text())
    for key in ["test_nll_nats", "best_validation_nll_nats", "steps", "parameters", "finished"]:
        assert flow.summary[key] == there[key], key


def test_tables_keep_their_units_and_names(tmp_path: Path) -> None:
    frame = pandas.DataFrame(TABLE, columns=["a", "b", "c, of c"])
    flow = fit(frame, settings=SMALL, progress=False)
    assert flow.columns == ["a", "b", "c, of c"]
    shuffled = frame[["c, of c", "a", "b"]].assign(more="text")
    np.testing.assert_array_equal(flow.log_prob(shuffled), flow.log_prob(TABLE))
    # Names may be numbers.
    whole = (10 * TABLE).round()
    numbered = pandas.DataFrame(whole)
    flow_of_numbered = fit(numbered, settings=SMALL, progress=False)
    assert flow_of_numbered.columns == ["0", "1", "2"]
    np.testing.assert_array_equal(flow_of_numbered.log_prob(numbered[[2, 0, 1]]), flow_of_numbered.log_prob(whole))
    # Without names, columns go by their places.
    unnamed = fit(TABLE, settings=SMALL, progress=False)
    assert unnamed.columns is None
    np.testing.assert_allclose(unnamed.log_prob(TABLE), flow.log_prob(TABLE), rtol=1e-12)
    samples = unnamed.sample(500)
    np.testing.assert_allclose(samples.mean(0), TABLE.mean(0), atol=0.5 * TABLE.std(0).max())


def test_a_column_that_counts_is_no_index() -> None:
    counting = np.column_stack([np.arange(100.0), np.random.default_rng(0).normal(size=100)])
    assert fit(counting, settings=SMALL, progress=False).shape == (2,)


def test_images_with_classes_are_learned(tmp_path: Path) -> None:
    shards = residual_flows.load_shards("shipped:digits")["train"]
    images, labels = shards.images[:300], shards.labels
    assert labels is not None
    flow = fit(images, "digits_hybrid", labels=labels[:300], levels=17, settings=SMALL_IMAGES, out=tmp_path / "run", progress=False)
    x = residual_flows.dequantize(images, 17)
    assert (flow.levels, flow.n_classes) == (17, 10)
    classes = flow.classify(x)
    np.testing.assert_array_equal(classes, flow.logits(x).argmax(1))
    assert classes.shape == (300,) and set(classes) <= set(range(10))
    # What is in the run's directory can be evaluated.
    run("train", "evaluate", "run", cwd=tmp_path)


def test_settings_may_be_a_dictionary() -> None:
    config = {
        "model": {"blocks": [1], "hidden_channels": 8, "kernels": [1, 1, 1], "dense_blocks": 0, "logit_alpha": 0},
        "run": {"max_steps": 4, "seed": 3},
        "data": {"noise": 0.5},
    }
    flow = fit(TABLE, config, progress=False)
    assert flow.config["model"]["hidden_channels"] in (8, [8, 8]) and flow.config["run"]["seed"] == 3
    assert flow.config["data"]["noise"] == 0.5


def test_records_are_heard(tmp_path: Path) -> None:
    records: list[dict[str, Any]] = []
    fit("toy/moons", settings={**SMALL, "run.log_every_steps": 5}, out=tmp_path / "run", callback=records.append, progress=False)
    assert records[0] == {"step": 0, "total_steps": 20}
    written = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    heard = [record for record in records[1:] if "warning" not in record]
    assert len(heard) == len([record for record in written if "warning" not in record])
    for record, line in zip(heard, written):
        assert line.items() <= record.items()
    assert [record["step"] for record in heard if "learning_rate" in record] == [1, 5, 10, 15, 20]
    assert any("validation_nll_nats" in record for record in heard)


def test_a_callback_ends_training_and_the_run_goes_on_later(tmp_path: Path) -> None:
    endless = {**SMALL, "run.max_steps": 1_000_000, "run.epochs": 1_000_000, "run.log_every_steps": 1}
    flow = fit("toy/moons", settings=endless, out=tmp_path / "run", callback=lambda record: record["step"] < 5, progress=False)
    assert flow.summary is not None and not flow.summary["finished"] and flow.step >= 5

    def refuse(record: dict[str, Any]) -> None:
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        fit("toy/moons", settings=endless, out=tmp_path / "other", callback=refuse, progress=False)
    for name in ["run", "other"]:
        saved = residual_flows.load(tmp_path / name).step
        run("train", "--resume", name, "--set", f"run.max_steps={saved + 3}", cwd=tmp_path)


def test_ctrl_c_saves_the_run(tmp_path: Path) -> None:
    code = """
import residual_flows
settings = {"run.epochs": 1_000_000, "run.log_every_steps": 1, "model.blocks": [2]}
try:
    residual_flows.fit("toy/moons", settings=settings, out="run", progress=False, callback=lambda record: print("heard", flush=True))
except KeyboardInterrupt:
    print("interrupted")
"""
    process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "heard\n"
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0 and said.endswith("interrupted\n")
    run("train", "--resume", "run", "--set", f"run.max_steps={residual_flows.load(tmp_path / 'run').step + 3}", cwd=tmp_path)


def test_mistakes_are_told_before_anything_is_computed(tmp_path: Path) -> None:
    for arguments, error, words in [
        (dict(), ValueError, ["expected data, a configuration, or both"]),
        (dict(data=TABLE, settings={"run.max_stepz": 3}), ValueError, ["max_stepz", "max_steps"]),
        (dict(data=TABLE, settings={"run.max_steps": 0}), ValueError, ["run.max_steps", "expected"]),
        (dict(data="toy/nowhere"), FileNotFoundError, ["toy/nowhere", "toy/moons"]),
        (dict(data=TABLE[:, 0]), ValueError, ["[200]", "[n, d]"]),
        (dict(data=TABLE[:2]), ValueError, ["2 points"]),
        (dict(data=np.zeros((5, 1, 8, 8), np.uint8)), ValueError, ["images need a configuration"]),
        (dict(data=np.full((5, 1, 8, 8), 0.5), config="digits"), ValueError, ["float64", "whole numbers"]),
        (dict(data=np.full((50, 1, 8, 8), 20), config="digits", levels=17), ValueError, ["20", "17"]),
        (dict(data=TABLE, labels=[1]), ValueError, ["labels"]),
        (dict(data=np.where(TABLE > 100, np.nan, TABLE)), ValueError, ["missing"]),
    ]:
        with pytest.raises(error) as raised:
            fit(**arguments, progress=False)  # type: ignore[arg-type]
        assert all(word in str(raised.value) for word in words), raised.value
    fit(TABLE, settings=SMALL, out=tmp_path / "run", progress=False)
    with pytest.raises(FileExistsError):
        fit(TABLE, settings=SMALL, out=tmp_path / "run", progress=False)
    fit(TABLE, settings=SMALL, out=tmp_path / "run", overwrite=True, progress=False)


def test_a_model_without_a_run_remains(capfd: pytest.CaptureFixture[str]) -> None:
    flow = fit(TABLE, settings=SMALL, progress=True)
    assert pickle.loads(pickle.dumps(flow)).summary == flow.summary
    assert flow.summary is not None and "checkpoint" not in flow.summary
    said = capfd.readouterr()
    assert said.out == "" and "20/20" in said.err
