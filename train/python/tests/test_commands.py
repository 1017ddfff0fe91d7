"""The programs that the package installs are the programs."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import program, run

NAMES = [["residual-flows", "train"], ["train"]]


@pytest.mark.parametrize("name", NAMES)
def test_programs_have_two_names(name: list[str], tmp_path: Path) -> None:
    said = run(*name, "--help", cwd=tmp_path).stdout
    assert f"Usage: {' '.join(name)} [OPTIONS]" in said and "log-prob" in said
    said = run(name[0], *name[1:], "config", "--explain", "optim.learning_rate", cwd=tmp_path).stdout
    assert "learning" in said


def test_the_family_says_what_there_is(tmp_path: Path) -> None:
    said = run("residual-flows", "--help", cwd=tmp_path).stdout
    assert "train" in said and "preprocess" in said
    version = run("residual-flows", "--version", cwd=tmp_path).stdout.split()[-1]
    assert version in run("train", "--version", cwd=tmp_path).stdout
    assert "mnist" in run("preprocess", "--help", cwd=tmp_path).stdout
    assert "mnist" in run("residual-flows", "preprocess", "--help", cwd=tmp_path).stdout


def test_exit_codes_are_those_of_the_programs(tmp_path: Path) -> None:
    for arguments, code, words in [
        (["residual-flows", "nonsense"], 2, "nonsense"),
        (["residual-flows", "train", "--nonsense"], 2, "--nonsense"),
        (["train", "--config", "nowhere.toml"], 1, "nowhere.toml"),
        (["preprocess", "verify", "nowhere"], 2, "nowhere"),
    ]:
        done = run(*arguments, cwd=tmp_path, fails=True)
        assert done.returncode == code and words in done.stderr, done
        assert "Traceback" not in done.stderr


def test_ctrl_c_saves_a_run(tmp_path: Path) -> None:
    process = start(["train", "--config", "toy/moons", "--set", "run.epochs=100000", "--out", "run"], tmp_path)
    wait_for(process, "validation points choose")
    while not (tmp_path / "run/metrics.jsonl").exists() or "learning_rate" not in (tmp_path / "run/metrics.jsonl").read_text():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 75 and "saved in" in said, said
    run("train", "--resume", "run", "--set", "run.max_steps=1", cwd=tmp_path)


def test_ctrl_c_ends_other_commands(moons_run: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((20_000_000, 2), np.float32))
    process = start(["train", "log-prob", moons_run, "--input", "x.npy", "--output", "y.npy"], tmp_path)
    wait_for(process, "scoring")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGINT and not (tmp_path / "y.npy").exists()


def start(arguments: list[object], cwd: Path) -> subprocess.Popen[str]:
    name, *rest = map(str, arguments)
    return subprocess.Popen([program(name), *rest], cwd=cwd, stderr=subprocess.PIPE, text=True)


def wait_for(process: subprocess.Popen[str], words: str) -> None:
    assert process.stderr is not None
    said = iter(process.stderr.readline, "")
    assert any(words in line for line in said), "it ends without a word"


def test_completions_and_manual_pages_are_installed() -> None:
    share = Path(sys.prefix) / "share"
    for page in ["residual-flows", "train", "train-log-prob", "preprocess", "preprocess-mnist", "residual-flows-train"]:
        assert ".SH SYNOPSIS" in (share / f"man/man1/{page}.1").read_text(), page
    for name in ["residual-flows", "train", "preprocess"]:
        for place in [f"bash-completion/completions/{name}", f"zsh/site-functions/_{name}", f"fish/vendor_completions.d/{name}.fish"]:
            assert "--help" in (share / place).read_text() or "help" in (share / place).read_text(), place
