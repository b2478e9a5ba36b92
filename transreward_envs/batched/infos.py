"""``info`` of many lanes: arrays, and masks that say which lanes have an entry, as Gymnasium's vector environments."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Info = dict[str, Any]


def all_lanes(info: dict[str, NDArray[Any]], count: int) -> Info:
    """Return entries that all lanes have, with their masks."""
    infos: Info = dict(info)
    mask = ~np.zeros(count, dtype=np.bool_)
    for key in info:
        infos["_" + key] = mask
    return infos


def lane_info(infos: Info, lane: int) -> dict[str, Any]:
    """Return the entries of one lane."""
    entries = {key: value for key, value in infos.items() if f"_{key}" in infos and infos[f"_{key}"][lane]}
    return {
        key: lane_info(values, lane) if isinstance(values, dict) else _plain(values[lane])
        for key, values in entries.items()
    }


def put(infos: Info, key: str, lane: int, value: Any) -> bool:
    """Write a lane's entry into an array that is there; return whether there was one."""
    values = infos.get(key)
    if not isinstance(values, np.ndarray):
        return False
    values[lane] = value
    if not infos["_" + key][lane]:
        infos["_" + key] = infos["_" + key] | (np.arange(len(values)) == lane)
    return True


def _plain(value: Any) -> Any:
    """Return a boolean as Python's own, which keeps its type in arrays to come."""
    return bool(value) if isinstance(value, np.bool_) else value
