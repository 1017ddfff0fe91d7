"""Images in shards are those that were written."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import REPOSITORY, run

from residual_flows import dequantize, load_shards
from residual_flows._native import write_images

DIGITS = REPOSITORY / "data/digits"


def test_pixels_that_are_stored_as_they_are_are_mapped() -> None:
    shards = load_shards(DIGITS)
    assert list(shards) == ["train", "test"] and [len(split) for split in shards.values()] == [1498, 299]
    shipped = load_shards("shipped:digits")
    for name, split in shards.items():
        assert split.images.shape == (len(split), 1, 8, 8) and split.levels == 17
        assert split.images.base is not None and not split.images.flags.writeable
        np.testing.assert_array_equal(split.images, shipped[name].images)
        assert split.labels is not None and split.labels.max() == 9
        assert split.attributes is None and "CC BY 4.0" in split.manifest["provenance"]["licence"]


def test_encoded_pixels_are_those_that_are_mapped_otherwise(tmp_path: Path) -> None:
    run("preprocess", "synth", "mnist", "--counts", "30,10", "--out", "made", cwd=tmp_path)
    for codec in ["raw", "med-zstd1"]:
        options = ["--codec", codec, "--images-per-shard", 8, "--limit", 30]
        run("preprocess", "mnist", "made", "--out", codec, *options, cwd=tmp_path)
    raw, encoded = load_shards(tmp_path / "raw"), load_shards(tmp_path / "med-zstd1")
    assert encoded["train"].manifest["codec"] == "med-zstd1"
    for split, count in [("train", 30), ("test", 10)]:
        assert encoded[split].images.shape == (count, 1, 28, 28)
        # Several shards follow each other.
        assert len(raw[split].parts) == -(-count // 8) and len(encoded[split].parts) == 1
        np.testing.assert_array_equal(raw[split].images, encoded[split].images)
        np.testing.assert_array_equal(raw[split].labels, encoded[split].labels)


def test_damage_is_found(tmp_path: Path) -> None:
    for file in DIGITS.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    shard = tmp_path / "train-00000-of-00001.safetensors"
    damaged = bytearray(shard.read_bytes())
    damaged[-5] ^= 1
    shard.write_bytes(damaged)
    with pytest.raises(ValueError, match="CRC32C.*damaged"):
        load_shards(tmp_path)
    assert len(load_shards(tmp_path, verify=False)["train"]) == 1498
    with pytest.raises(FileNotFoundError, match="no data set"):
        load_shards(tmp_path / "nowhere")


def test_arrays_that_were_written_come_back(tmp_path: Path) -> None:
    images = np.arange(3 * 4 * 4 * 4, dtype=np.uint8).reshape(4, 3, 4, 4)
    write_images(tmp_path, "validation", images, None, 256, False)
    split = load_shards(tmp_path)["validation"]
    np.testing.assert_array_equal(split.images, images)
    assert split.labels is None


def test_dequantised_pixels_lie_in_their_bins() -> None:
    images = load_shards("shipped:digits")["test"].images
    x = dequantize(images, 17, seed=3)
    assert x.dtype == np.float32 and x.max() < 1
    np.testing.assert_array_equal((x.astype(np.float64) * 17 + 1e-6).astype(int), images)
    np.testing.assert_array_equal(x, dequantize(images, 17, seed=3))
    assert dequantize(np.full((1000,), 255), 256).max() < 1
    bad: list[Any] = [images / 17, images - 1.0, np.array([17])]
    for wrong in bad:
        with pytest.raises(ValueError, match="whole numbers below 17"):
            dequantize(wrong, 17)
