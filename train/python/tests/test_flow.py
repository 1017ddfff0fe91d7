"""Models, applied to arrays: the numbers are those of the program, whatever holds them."""

import copy
import multiprocessing
import pickle
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from conftest import REPOSITORY, SMALL, run

import residual_flows
from residual_flows import Flow

POINTS = np.random.default_rng(0).normal(size=(300, 2))


def of_program(command: str, model: Path, x: Any, dir: Path) -> Any:
    """What `train encode` and so on write."""
    np.save(dir / "x.npy", x)
    run("train", command, model, "--input", "x.npy", "--output", "y.npy", "--force", cwd=dir)
    return np.load(dir / "y.npy")


def test_the_numbers_are_those_of_the_program(
    moons: Flow, moons_run: Path, digits: Flow, digits_run: Path, images: Any, tmp_path: Path
) -> None:
    np.testing.assert_array_equal(moons.log_prob(POINTS), of_program("log-prob", moons_run, POINTS, tmp_path))
    np.testing.assert_array_equal(moons.encode(POINTS), of_program("encode", moons_run, POINTS, tmp_path))
    latents = moons.encode(POINTS)
    np.testing.assert_array_equal(moons.decode(latents), of_program("decode", moons_run, latents, tmp_path))
    # The program writes those of images in single precision.
    of_images = of_program("log-prob", digits_run, images, tmp_path)
    np.testing.assert_array_equal(digits.log_prob(images).astype(np.float32), of_images)
    np.testing.assert_array_equal(digits.encode(images), of_program("encode", digits_run, images, tmp_path))
    run("train", "sample", moons_run, "--n", 50, "--seed", 7, "--temperature", 0.5, "--out", "s.npy", cwd=tmp_path)
    np.testing.assert_array_equal(moons.sample(50, seed=7, temperature=0.5), np.load(tmp_path / "s.npy"))


def test_options_are_those_of_the_program(digits: Flow, digits_run: Path, images: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", images)
    options = {"exact": ["--exact"], "seed": ["--seed", 5], "batch": ["--batch", 50]}
    for name, value in [("exact", True), ("seed", 5), ("batch", 50)]:
        run("train", "log-prob", digits_run, "--input", "x.npy", "--output", f"{name}.npy", *options[name], cwd=tmp_path)
        log_prob = digits.log_prob(images, **{name: value}).astype(np.float32)  # type: ignore[arg-type]
        np.testing.assert_array_equal(log_prob, np.load(tmp_path / f"{name}.npy"))
        assert not np.array_equal(log_prob, digits.log_prob(images).astype(np.float32)), name


def test_bits_per_dim_count_levels_and_values(digits: Flow, images: Any) -> None:
    expected = -digits.log_prob(images) / (64 * np.log(2)) + np.log2(17)
    np.testing.assert_allclose(digits.bits_per_dim(images), expected, rtol=1e-12)


def test_images_come_back_from_their_latents(digits: Flow, images: Any) -> None:
    decoded = digits.decode(digits.encode(images))
    assert decoded.dtype == np.float32 and decoded.shape == images.shape
    np.testing.assert_allclose(decoded, images, atol=1e-4)


class OnlyDlpack:
    """An array that offers nothing else."""

    def __init__(self, array: Any) -> None:
        self.__dlpack__, self.__dlpack_device__ = array.__dlpack__, array.__dlpack_device__


class OnlyArray:
    """An object that numpy can convert."""

    def __init__(self, array: Any) -> None:
        self.array = array

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.array


def test_whatever_holds_numbers_is_taken(moons: Flow, digits: Flow, images: Any) -> None:
    expected = moons.log_prob(POINTS)
    for same in [
        POINTS.tolist(),
        np.asfortranarray(POINTS),
        np.repeat(POINTS, 2, axis=0)[::2],
        POINTS.astype(">f8"),
        POINTS.astype(object),
        pandas.DataFrame(POINTS),
        OnlyDlpack(POINTS),
        OnlyArray(POINTS),
        POINTS.reshape(-1, 2, 1, 1),
    ]:
        np.testing.assert_array_equal(moons.log_prob(same), expected, err_msg=str(type(same)))
    whole = np.arange(-4, 4).reshape(-1, 2)
    np.testing.assert_array_equal(moons.log_prob(whole), moons.log_prob(whole.astype(float)))
    read_only = images.copy()
    read_only.flags.writeable = False
    for same in [images.astype(np.float64), np.asfortranarray(images), read_only, OnlyDlpack(images)]:
        np.testing.assert_array_equal(digits.log_prob(same), digits.log_prob(images))


def test_single_precision_is_not_copied(images: Any) -> None:
    from residual_flows._arrays import numbers

    assert numbers(images, "x") is images
    assert np.shares_memory(numbers(OnlyDlpack(images), "x"), images)


def test_what_does_not_fit_is_refused_with_what_would(moons: Flow, digits: Flow, images: Any) -> None:
    for flow, x, error, words in [
        (moons, POINTS[:, :1], ValueError, ["[300, 1]", "[n, 2]"]),
        (moons, POINTS[0], ValueError, ["[2]", "[n, 2]"]),
        (moons, [[1.0, np.nan]], ValueError, ["row 0, column 1", "NaN", "finite"]),
        (moons, [["a", "b"]], ValueError, ["<U1", "numbers"]),
        (moons, POINTS.astype(complex), ValueError, ["complex128"]),
        (moons, [[object(), None]], TypeError, ["does not hold numbers"]),
        (digits, images[:, 0], ValueError, ["[299, 8, 8]", "[n, 1, 8, 8]"]),
        (digits, 17 * images, ValueError, ["between 0 and 1", "(pixel + noise) / levels"]),
    ]:
        with pytest.raises(error) as raised:
            flow.log_prob(x)
        assert all(word in str(raised.value) for word in words), raised.value
    for call, words in [
        (lambda: moons.decode(POINTS[:, :1]), ["[300, 1]", "[n, 2]"]),
        (lambda: moons.sample(0), ["at least 1"]),
        (lambda: moons.sample(5, temperature=-1), ["-1", "from 0 to"]),
        (lambda: moons.bits_per_dim(POINTS), ["of images"]),
        (lambda: moons.classify(POINTS), ["no classes"]),
        (lambda: moons.log_prob(POINTS, batch=0), ["at least 1"]),
    ]:
        with pytest.raises(ValueError) as raised:
            call()
        assert all(word in str(raised.value) for word in words), raised.value


def test_no_samples_have_no_densities(moons: Flow, digits: Flow) -> None:
    assert moons.log_prob(np.empty((0, 2))).shape == (0,)
    assert moons.encode(np.empty((0, 2))).shape == (0, 2)
    assert digits.bits_per_dim(np.empty((0, 1, 8, 8), np.float32)).shape == (0,)


def test_far_points_have_a_density_of_zero(moons: Flow) -> None:
    near, far = moons.log_prob([[0.0, 0.0], [1e300, 0.0]])
    assert np.isfinite(near) and far == -np.inf


def test_files_keep_the_numbers(moons: Flow, digits: Flow, images: Any, tmp_path: Path) -> None:
    for flow, x in [(moons, POINTS), (digits, images)]:
        path = tmp_path / f"{len(flow.shape)}.safetensors"
        flow.save(path)
        with pytest.raises(FileExistsError):
            flow.save(path)
        flow.save(path, overwrite=True)
        expected = flow.log_prob(x)
        for again in [residual_flows.load(path), pickle.loads(pickle.dumps(flow)), copy.deepcopy(flow)]:
            np.testing.assert_array_equal(again.log_prob(x), expected)
            assert again.config == flow.config and again.step == flow.step
        of_file = of_program("log-prob", path, x, tmp_path)
        np.testing.assert_array_equal(expected.astype(of_file.dtype), of_file)


def test_files_that_are_no_models_are_refused(moons_run: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        residual_flows.load(tmp_path / "nowhere.safetensors")
    damaged = bytearray((moons_run / "best.safetensors").read_bytes())
    damaged[-100] ^= 1
    (tmp_path / "damaged.safetensors").write_bytes(damaged)
    for weights in ["average", "raw"]:
        # One of the two has the damaged byte.
        try:
            residual_flows.load(tmp_path / "damaged.safetensors", weights=weights)
        except ValueError as error:
            assert "damaged" in str(error)
            break
    with pytest.raises(ValueError, match="expected \"average\" or \"raw\""):
        residual_flows.load(moons_run, weights="best")


def test_checkpoints_of_the_reference_implementation_are_read() -> None:
    folder = REPOSITORY / "train/tests/fixtures/research/tiny"
    flow = residual_flows.load(folder / "checkpoint.pth", weights="raw")
    x, z = np.load(folder / "x.npy"), np.load(folder / "z.npy")
    np.testing.assert_allclose(flow.encode(x), z.reshape(len(z), -1), atol=1e-4)


def test_what_a_model_is_can_be_read(moons: Flow, digits: Flow) -> None:
    assert (moons.shape, moons.levels, moons.latent_dimensions, moons.n_classes) == ((2,), None, 2, 0)
    assert (digits.shape, digits.levels, digits.latent_dimensions) == ((1, 8, 8), 17, 64)
    assert digits.config["run"]["max_steps"] == SMALL["run.max_steps"] == digits.step
    assert "17 levels" in repr(digits) and "points" in repr(moons)


def test_other_threads_go_on_meanwhile(moons: Flow) -> None:
    counted, done = 0, threading.Event()

    def compute() -> None:
        moons.log_prob(np.tile(POINTS, (200, 1)))
        done.set()

    thread = threading.Thread(target=compute)
    thread.start()
    while not done.is_set():
        counted += 1
    thread.join()
    # With the lock held, this thread would not have run before the other was done.
    assert counted > 100


def test_threads_can_share_a_model(moons: Flow) -> None:
    expected = moons.log_prob(POINTS)
    results: list[Any] = []
    threads = [threading.Thread(target=lambda: results.append(moons.log_prob(POINTS))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8 and all(np.array_equal(result, expected) for result in results)


def test_forked_processes_compute(moons: Flow) -> None:
    expected = moons.log_prob(POINTS)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        for result in pool.map_async(moons.log_prob, [POINTS, POINTS]).get(timeout=120):
            np.testing.assert_array_equal(result, expected)


def test_ctrl_c_ends_a_computation(moons_run: Path) -> None:
    code = f"""
import numpy, residual_flows
flow = residual_flows.load({str(moons_run)!r})
x = numpy.zeros((200_000, 2))
try:
    print("begun", flush=True)
    while True:
        flow.log_prob(x)
except KeyboardInterrupt:
    # What was stopped can be used again.
    print(flow.log_prob(x[:3]).shape)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0 and said == "(3,)\n"


def test_memory_does_not_grow(moons_run: Path) -> None:
    code = f"""
import numpy, residual_flows
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
flow = residual_flows.load({str(moons_run)!r})
x = numpy.random.default_rng(0).normal(size=(1000, 2))
def call():
    flow.log_prob(x), flow.encode(x), flow.sample(10)
for _ in range(100):
    call()
before = resident()
for _ in range(1000):
    call()
print(resident() - before)
"""
    grown = int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    # Each call makes arrays of 16 kB.
    assert grown < 4 << 20, grown
