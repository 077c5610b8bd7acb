"""Philox4x32-10 in numpy: the same words as runtime/base/philox.h for the same key and counter."""
import numpy as np

LOW = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)


def first_words(key: int, count: int) -> np.ndarray:
    """The first word of philox(key, counterLow = i, counterHigh = 0) for i = 0 .. count - 1."""
    k = [np.uint64(key & 0xFFFFFFFF), np.uint64(key >> 32)]
    index = np.arange(count, dtype=np.uint64)
    c = [index & LOW, index >> HALF, np.zeros_like(index), np.zeros_like(index)]
    for _ in range(10):
        a, b = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [(b >> HALF) ^ c[1] ^ k[0], b & LOW, (a >> HALF) ^ c[3] ^ k[1], a & LOW]
        k = [(k[0] + np.uint64(0x9E3779B9)) & LOW, (k[1] + np.uint64(0xBB67AE85)) & LOW]
    return c[0]


def projection(values: np.ndarray, key: int) -> float:
    """Sum of the values, in row-major order, each with the sign that bit 0 of its word gives: 1 is plus, 0 is minus."""
    signs = (first_words(key, values.size) & np.uint64(1)).astype(np.float64) * 2 - 1
    return float(signs @ values.reshape(-1).astype(np.float64))
