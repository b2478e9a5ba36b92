"""Where datasets lie, and what they are called."""

from __future__ import annotations

import os
import re
from pathlib import Path

from minari.dataset.minari_dataset import DATASET_ID_RE

NAMESPACE = "transreward"
VERSION = 0


def datasets_root() -> Path:
    """Return the folder of all of Minari's datasets: ``MINARI_DATASETS_PATH``, or one in the user's home."""
    return Path(os.environ.get("MINARI_DATASETS_PATH") or Path.home() / ".minari" / "datasets")


def folder_of(name: str, root: Path | None = None) -> Path:
    """Return the folder of a dataset that is to be written.

    Args:
        name: Its id.
        root: Folder of all datasets; Minari's when left out.

    Raises:
        ValueError: It is no id that Minari reads.
    """
    found = DATASET_ID_RE.fullmatch(name)
    if found is None or found["version"] is None:
        raise ValueError(
            f"A dataset's id is letters, digits, `-` and `_`, in parts that `/` divides, with a version at the end; "
            f"got {name!r}. Give one such as 'mine/hopper-dara-v0'."
        )
    return (root or datasets_root()) / name


def dataset_id(robot: str, pair: str, role: str, quality: str, size: int | None = None) -> str:
    """Return the id of a dataset, such as ``transreward/Hopper/Hopper-mass-2_0/target-medium-v0``.

    Minari's ids have no dots, so those of factors are written as underscores.

    Args:
        robot: Name of the robot.
        pair: Name of the pair.
        role: The domain.
        quality: Of the policies that acted.
        size: Transitions, where they are not as many as usual.
    """
    suffix = "" if size is None else f"-{size}"
    name = f"{NAMESPACE}/{robot}/{pair}/{role}-{quality}{suffix}"
    return re.sub(r"[^-\w/]", "_", name) + f"-v{VERSION}"
