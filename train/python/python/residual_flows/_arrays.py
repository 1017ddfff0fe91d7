"""Arrays from whatever holds numbers."""

from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float32] | npt.NDArray[np.float64]


def numbers(x: Any, what: str) -> Numbers:
    """A row-major array of float32 or float64: `x` itself where it is one, else a conversion.

    Anything with `__array__` or `__dlpack__` is taken, such as tensors of PyTorch and JAX in the CPU's memory and tables of pandas;
    lists of numbers too. float32 and float64 stay what they are, all other numbers become float64.
    """
    array = _array(x, what)
    if array.dtype not in (np.float32, np.float64):
        if array.dtype.kind not in "fiubO" or array.dtype.itemsize > 8:
            raise ValueError(f"{what} holds {array.dtype}, expected numbers that float64 represents")
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{what} does not hold numbers: {error}") from error
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return np.require(array, requirements=["C", "A"])


def pixels(x: Any, what: str) -> npt.NDArray[np.uint8]:
    """A row-major array of bytes; other whole numbers are converted."""
    array = _array(x, what)
    if array.dtype != np.uint8:
        if array.dtype.kind not in "iu" or array.size and (array.min() < 0 or array.max() > 255):
            raise ValueError(f"{what} holds {array.dtype}, expected whole numbers from 0 to 255")
        array = array.astype(np.uint8)
    return np.require(array, requirements=["C", "A"])


def _array(x: Any, what: str) -> npt.NDArray[Any]:
    if isinstance(x, np.ndarray):
        return x
    if hasattr(x, "__dlpack__") and not hasattr(x, "__array__"):
        return np.from_dlpack(x)
    try:
        return np.asarray(x)
    except (RuntimeError, TypeError) as error:
        # What PyTorch says of tensors on a GPU, or with a gradient.
        raise type(error)(f"{what} is no array in the CPU's memory: {error}") from error
