"""Reads datasets in Minari's format, ours and the public ones, as episodes, transitions or sequences."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from transreward_envs.errors import require_count
from transreward_wrappers.datasets.episode import Episode
from transreward_wrappers.datasets.flat import FlatTransitions, Sequences, flatten, windows
from transreward_wrappers.datasets.location import datasets_root
from transreward_wrappers.datasets.writer import LOG_DENSITIES, MAIN, METADATA, SCHEMA

KNOWN = ("0.4.", "0.5.")
"""How the versions of Minari begin whose files are understood."""


class DatasetError(RuntimeError):
    """A dataset cannot be read, or is not what was asked for."""


class Dataset:
    """A dataset on disk; nothing is read before it is asked for.

    Args:
        directory: Folder of the dataset.

    Raises:
        FileNotFoundError: There is none.
        DatasetError: It is damaged, or of another version.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._path = directory / "data" / MAIN
        self.metadata: Mapping[str, Any] = _read_metadata(directory)

    @property
    def about(self) -> Mapping[str, Any]:
        """Return where the data come from; nothing for public datasets."""
        found: Mapping[str, Any] = self.metadata.get("transreward", {})
        return found

    @property
    def total_episodes(self) -> int:
        """Return the number of episodes."""
        return int(self.metadata["total_episodes"])

    @property
    def total_steps(self) -> int:
        """Return the number of transitions."""
        return int(self.metadata["total_steps"])

    def episodes(self) -> Iterator[Episode]:
        """Yield all episodes.

        Raises:
            DatasetError: The file is damaged, observations are no vectors, or a number is not finite.
        """
        return self._episodes(range(self.total_episodes))

    def require_whole(self) -> None:
        """Check that the file is there to its end, without reading it all.

        Raises:
            DatasetError: It is damaged.
        """
        for _ in self._episodes([self.total_episodes - 1]):
            pass

    def _episodes(self, indices: Iterable[int]) -> Iterator[Episode]:
        try:
            with h5py.File(self._path, "r") as file:
                for index in indices:
                    yield _finite(_read_episode(file[f"episode_{index}"]), f"{self.directory}, episode {index}")
        except DatasetError:
            raise
        except (OSError, KeyError, IndexError, RuntimeError, ValueError, TypeError) as error:
            raise DatasetError(
                f"{self._path} cannot be read ({error}). Delete {self.directory}, and build or download it anew."
            ) from error

    @cached_property
    def _flat(self) -> FlatTransitions:
        try:
            return flatten(self.episodes(), self.total_steps)
        except ValueError as error:
            raise DatasetError(f"{self.directory} is damaged: {error} Build or download it anew.") from error

    def transitions(self) -> FlatTransitions:
        """Return all transitions; none joins two episodes.

        Raises:
            DatasetError: The dataset is damaged, or observations are no vectors.
        """
        return self._flat

    def sequences(self, length: int, *, stride: int = 1, pad: bool = False) -> Sequences:
        """Return stretches of episodes, which takes the memory of ``length / stride`` such datasets.

        Args:
            length: Steps of a stretch.
            stride: Steps between the beginnings of two stretches of an episode.
            pad: Keep those, too, that the end of their episode cuts short, filled up with zeros.
        """
        require_count("length", length, at_least=1)
        require_count("stride", stride, at_least=1)
        return windows(self._flat, length, stride=stride, pad=pad)

    def digest(self) -> str:
        """Return what tells this file of data from all others.

        Raises:
            DatasetError: It cannot be read.
        """
        try:
            with self._path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise DatasetError(f"{self._path} cannot be read ({error}). Build or download it anew.") from error

    def returns(self) -> NDArray[np.float64]:
        """Return the return of each episode, as ``(total_episodes,)``."""
        sums = np.bincount(self._flat.episode, weights=self._flat.rewards, minlength=self.total_episodes)
        return np.asarray(sums, dtype=np.float64)


def load_dataset(name: str | Path, root: Path | None = None) -> Dataset:
    """Return a dataset by its id, or by its folder.

    Args:
        name: Id such as ``transreward/Hopper/Hopper-mass-2_0/target-medium-v0`` or ``mujoco/hopper/expert-v0``.
        root: Folder of all datasets; Minari's when left out.

    Raises:
        FileNotFoundError: There is none.
        DatasetError: It is damaged, or of another version.
    """
    return Dataset(Path(name) if Path(name).is_dir() else (root or datasets_root()) / name)


def _read_metadata(directory: Path) -> dict[str, Any]:
    path = directory / "data" / METADATA
    if not path.exists():
        raise FileNotFoundError(
            f"There is no dataset in {directory}. Build it: transreward data build; or download a public one: "
            "minari download <id>."
        )
    try:
        metadata = dict(json.loads(path.read_text()))
        version, ours = str(metadata["minari_version"]), metadata.get("transreward", {}).get("schema", SCHEMA)
        complete = {"total_episodes", "total_steps"} <= set(metadata)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{path} is not a dataset's metadata ({error}). Build or download it anew.") from error
    if not complete or metadata.get("data_format", "hdf5") != "hdf5":
        raise DatasetError(f"A dataset must be in HDF5 and say how long it is; {path} is not, or does not.")
    if not version.startswith(KNOWN):
        raise DatasetError(
            f"Datasets of Minari {' and '.join(f'{known}x' for known in KNOWN)} can be read; {directory} is of "
            f"{version}. Write it again with one of these."
        )
    if ours != SCHEMA:
        newer = isinstance(ours, int) and ours > SCHEMA
        raise DatasetError(
            f"A dataset's schema must be {SCHEMA}; that of {directory} is {ours!r}. "
            + (
                "Upgrade: pip install --upgrade transreward-envs."
                if newer
                else "Delete the dataset, and build it anew."
            )
        )
    return metadata


def _read_episode(group: h5py.Group) -> Episode:
    if not isinstance(group["observations"], h5py.Dataset) or len(group["observations"].shape) != 2:
        raise DatasetError(
            f"Observations must be vectors to be read here; those of {group.file.filename} are not. Flatten them "
            "first, or read the dataset by Minari."
        )
    observations = _read(group, b"observations")
    kept = "infos" in group and LOG_DENSITIES in group["infos"]
    return Episode(
        observations=observations.astype(np.float64, copy=False),
        actions=_read(group, b"actions"),
        rewards=_read(group, b"rewards").astype(np.float64, copy=False),
        terminated=bool(_read(group, b"terminations")[-1]),
        log_densities=_read(group, f"infos/{LOG_DENSITIES}".encode())[1:] if kept else None,
        policy=int(group.attrs.get("policy", 0)),
    )


def _finite(episode: Episode, where: str) -> Episode:
    """Return an episode, or raise ``DatasetError`` that says where a number in it is not finite."""
    for name in ("observations", "actions", "rewards"):
        values = getattr(episode, name)
        if not np.isfinite(values).all():
            at = tuple(map(int, np.argwhere(~np.isfinite(values))[0]))
            raise DatasetError(
                f"Data must be finite; `{name}` of {where} has {values[at]} at {at}. Leave the dataset out, or build "
                "it again."
            )
    return episode


def _read(group: h5py.Group, name: bytes) -> NDArray[Any]:
    """Return an array; without the conveniences of h5py, which take longer than short episodes do."""
    dataset = h5py.h5d.open(group.id, name)
    values = np.empty(dataset.shape, dataset.dtype)
    dataset.read(h5py.h5s.ALL, h5py.h5s.ALL, values)
    return values
