"""Pictures on the wire: one answer holds a JSON header and raw arrays, which a page uses without copying them.

Layout: `PPET`, header length (uint32, little endian), header (UTF-8 JSON, spaces up to a multiple of four), arrays,
each starting at a multiple of four. The header's `arrays` tells name, type, shape and offset behind the header.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAGIC = b"PPET"
MEDIA_TYPE = "application/octet-stream"
_TYPES = {"uint8", "uint16", "int32", "uint32", "float32"}
_LEVELS = 65535


def pack(header: Mapping[str, Any], arrays: Mapping[str, NDArray]) -> bytes:
    """Join a header and arrays (uint8, uint16, int32, uint32 or float32)."""
    entries, parts, offset = {}, [], 0
    for name, array in arrays.items():
        values = np.ascontiguousarray(array)
        assert values.dtype.name in _TYPES, values.dtype
        content = values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
        content += b"\0" * (-len(content) % 4)
        entries[name] = {"type": values.dtype.name, "shape": list(values.shape), "offset": offset}
        parts.append(content)
        offset += len(content)
    text = json.dumps({**header, "arrays": entries}, allow_nan=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    return b"".join([MAGIC, len(text).to_bytes(4, "little"), text, *parts])


def quantise(values: NDArray) -> tuple[NDArray[np.uint16], float]:
    """SUV as 16 bit and the SUV of one step: a 65535th of the largest value, which no eye can tell; below 0 is 0."""
    highest = float(values.max(initial=0.0))
    step = highest / _LEVELS if highest > 0 else 1.0
    return np.rint(np.clip(values, 0, None) / step).astype(np.uint16), step
