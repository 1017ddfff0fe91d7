"""Images in shards, as `preprocess` writes them."""

from __future__ import annotations

import json
import mmap
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _native

#: In the place of the directory of the digits that are part of the package.
DIGITS = "shipped:digits"


@dataclass(frozen=True)
class Shards:
    """One split of a data set of images."""

    #: The pixels, bytes below `levels` of shape `[n, channels, height, width]`, in parts that follow each other: read-only views of
    #: the mapped files where these hold pixels as they are (the codec `raw`), else one array in memory.
    parts: tuple[npt.NDArray[np.uint8], ...]
    #: The class of each image, from 0, of shape `[n]`; `None` in sets without classes.
    labels: npt.NDArray[np.uint32] | None
    #: Facts of each image, of shape `[n, attributes]`; `None` in sets without them.
    attributes: npt.NDArray[np.int8] | None
    #: The number of values that a pixel can take.
    levels: int
    #: The split's description: name, origin and licence, shards with their checksums.
    manifest: dict[str, Any]

    @property
    def images(self) -> npt.NDArray[np.uint8]:
        """All pixels as one array, `[n, channels, height, width]`: a view where there is one part, else a copy."""
        return self.parts[0] if len(self.parts) == 1 else np.concatenate(self.parts)

    def __len__(self) -> int:
        return int(self.manifest["count"])


def load_shards(path: str | PathLike[str], *, verify: bool = True) -> dict[str, Shards]:
    """Open a directory of shards: its splits by name, `"train"`, `"test"` and where there is one `"validation"`.

    Parameters
    ----------
    path
        The directory; `"shipped:digits"` is the handwritten digits that are part of the package.
    verify
        Compare all pixels with their checksums, which reads them once. Without it, files of the codec `raw` are mapped as they are.

    Raises
    ------
    FileNotFoundError
        If there is no data set.
    ValueError
        If it was damaged.
    """
    name = fspath(path)
    found = ["train", "test"] if name == DIGITS else [split for split in _SPLITS if (Path(name) / f"{split}.json").exists()]
    if not found:
        raise FileNotFoundError(f"{name} holds no data set: expected train.json, test.json or validation.json and their shards")
    return {split: _open(name, split, verify) for split in found}


_SPLITS = ("train", "validation", "test")


def _open(name: str, split: str, verify: bool) -> Shards:
    native = _native.Split.open(name, split)
    manifest = json.loads(native.manifest())
    if manifest["codec"] == "raw" and name != DIGITS:
        if verify:
            native.verify()
        parts = tuple(_mapped(Path(name) / shard["file"]) for shard in manifest["shards"])
    else:
        images = native.images()
        images.flags.writeable = False
        parts = (images,)
    return Shards(parts, native.labels(), native.attributes(), int(manifest["levels"]), manifest)


def _mapped(path: Path) -> npt.NDArray[np.uint8]:
    """The tensor `images` of a safetensors file, whose header has been checked, where it lies."""
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    length = int.from_bytes(mapped[:8], "little")
    images = json.loads(mapped[8 : 8 + length])["images"]
    begin, _ = images["data_offsets"]
    shape = images["shape"]
    return np.frombuffer(mapped, np.uint8, int(np.prod(shape)), 8 + length + begin).reshape(shape)


def dequantize(images: Any, levels: int = 256, *, seed: int = 0) -> npt.NDArray[np.float32]:
    """`(pixels + u) / levels` with uniform noise `u` in [0, 1): what a model of images is a density of.

    Parameters
    ----------
    images
        Whole numbers below `levels`, of any shape.
    levels
        The number of values that a pixel can take, 17 of the shipped digits.
    seed
        Chooses the noise.

    Returns
    -------
    float32 of the same shape, in [0, 1).
    """
    array = np.asarray(images)
    if array.dtype.kind not in "iu" or array.size and (array.min() < 0 or array.max() >= levels):
        raise ValueError(f"images hold {array.dtype}, expected whole numbers below {levels}")
    noise = np.random.default_rng(seed).random(array.shape, np.float32)
    dequantised: npt.NDArray[np.float32] = (array.astype(np.float32) + noise) / np.float32(levels)
    # Where rounding has made it 1.
    return np.minimum(dequantised, np.nextafter(np.float32(1), np.float32(0)), out=dequantised)
