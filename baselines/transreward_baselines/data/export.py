"""Writes a dataset as one flat HDF5 file, as scripts in the manner of D4RL, CORL and d3rlpy read it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import h5py
import numpy as np

from transreward_wrappers.datasets import Dataset
from transreward_wrappers.datasets.flat import FlatTransitions
from transreward_wrappers.storage import current_umask, reason

NAMES = {
    "observations": "observations",
    "actions": "actions",
    "rewards": "rewards",
    "next_observations": "next_observations",
    "terminals": "terminated",
    "timeouts": "truncated",
}
"""D4RL's names of arrays, and ours."""


def export(dataset: Dataset, path: Path) -> None:
    """Write all transitions to a file, in single precision, with D4RL's names.

    ``next_observations`` has the true last observation of each episode; ``timeouts`` marks the end of those that did
    not terminate, so that no reader need guess where one ends.

    Raises:
        FileExistsError: The file exists.
        OSError: It cannot be written.
    """
    if path.exists():
        raise FileExistsError(f"An export needs a new file; {path} exists. Delete it, or choose another name.")
    flat = dataset.transitions()
    try:
        _write(dataset, flat, path)
    except (OSError, RuntimeError) as error:
        raise OSError(
            f"An export needs a folder with room and the right to write; {path} cannot be written ({reason(error)}). "
            "Choose another name, or free some room."
        ) from error


def _write(dataset: Dataset, flat: FlatTransitions, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        with h5py.File(draft, "w") as file:
            for name, ours in NAMES.items():
                values = getattr(flat, ours)
                file.create_dataset(name, data=values if values.dtype == np.bool_ else values.astype(np.float32))
            if not np.isnan(flat.log_densities).any():
                file.create_dataset("infos/action_log_probs", data=flat.log_densities.astype(np.float32))
            file.attrs["dataset_id"] = str(dataset.metadata.get("dataset_id", ""))
        os.chmod(draft, 0o666 & ~current_umask())  # temporary files are their owner's alone
        os.replace(draft, path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
