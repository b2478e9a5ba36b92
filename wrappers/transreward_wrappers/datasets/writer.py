"""Writes datasets as Minari does, episode by episode; whole, or not at all."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import gymnasium as gym
import h5py
import numpy as np
from filelock import FileLock
from gymnasium.envs.registration import EnvSpec
from numpy.typing import NDArray

from transreward_wrappers.datasets.episode import Episode
from transreward_wrappers.storage import current_umask, reason, write_json

SCHEMA = 1
"""Of what is written beside Minari's own; a reader refuses what is newer than itself."""

MINARI = "0.5.4"
"""The version of Minari whose format this is."""

MAIN, METADATA = "main_data.hdf5", "metadata.json"
COMPACT = 16_384
"""Arrays up to so many bytes are kept with what describes them."""

LOG_DENSITIES = "action_log_density"
"""Its entry ``t + 1`` belongs to action ``t``; the first is of the reset, and NaN."""


@contextmanager
def held(directory: Path) -> Iterator[None]:
    """Hold a dataset's folder against other processes; what a killed one left beside it is swept away.

    Raises:
        OSError: There is no right to write.
    """
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(
            f"Datasets need a folder that can be written; {directory.parent} cannot be ({error}). Choose another."
        ) from error
    with FileLock(directory.parent / f".{directory.name}.lock"):
        for left_over in directory.parent.glob(f".{directory.name}.*"):
            if left_over.is_dir():
                shutil.rmtree(left_over, ignore_errors=True)
        yield


def require_vacant(directory: Path) -> None:
    """Raise ``FileExistsError`` if there is a dataset."""
    if directory.exists():
        raise _taken(directory)


class DatasetWriter:
    """Writes the episodes of one dataset; a context manager.

    Everything goes to a folder beside the final one, which is renamed at the end: whoever reads meets a whole dataset
    or none, of two writers at once the later one is refused, and one that is killed leaves nothing but a hidden folder.

    Args:
        directory: Folder of the dataset; its parent is made if need be.
        observation_space: Of the domain.
        action_space: Of the domain.
        metadata: As JSON types, in Minari's names.

    Raises:
        FileExistsError: There is a dataset.
        OSError: It cannot be written.
    """

    def __init__(
        self,
        directory: Path,
        *,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
        metadata: Mapping[str, Any],
    ) -> None:
        from minari.serialization import serialize_space

        self._final, self.metadata = directory, dict(metadata)
        self.metadata["observation_space"] = serialize_space(observation_space)
        self.metadata["action_space"] = serialize_space(action_space)
        self.episodes = self.steps = 0

    def __enter__(self) -> Self:
        require_vacant(self._final)
        self._final.parent.mkdir(parents=True, exist_ok=True)
        self._draft = Path(tempfile.mkdtemp(dir=self._final.parent, prefix=f".{self._final.name}."))
        try:
            (self._draft / "data").mkdir()
            self._file = h5py.File(self._draft / "data" / MAIN, "w", libver="latest")
        except (OSError, RuntimeError) as error:
            shutil.rmtree(self._draft, ignore_errors=True)
            raise _disk_error(error, self._draft) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._file.close()
            if error is None:
                self._publish()
        except FileExistsError:
            raise
        except (OSError, RuntimeError) as failure:
            raise _disk_error(failure, self._draft) from failure
        finally:
            shutil.rmtree(self._draft, ignore_errors=True)

    def add(self, episode: Episode) -> None:
        """Write an episode.

        Raises:
            OSError: It cannot be written.
        """
        try:
            self._add(episode)
        except (OSError, RuntimeError) as error:
            raise _disk_error(error, self._draft) from error

    def _add(self, episode: Episode) -> None:
        steps = len(episode)
        group = _group(self._file.id, f"episode_{self.episodes}")
        for name, value in {"id": self.episodes, "total_steps": steps, "policy": episode.policy}.items():
            _put_number(group, name, value)
        _put(group, "observations", episode.observations)
        _put(group, "actions", episode.actions)
        _put(group, "rewards", episode.rewards)
        ends = np.zeros((2, steps), dtype=np.bool_)
        ends[0 if episode.terminated else 1, -1] = True
        _put(group, "terminations", ends[0])
        _put(group, "truncations", ends[1])
        if episode.log_densities is not None:
            infos = _group(group, "infos")
            _put(infos, LOG_DENSITIES, np.concatenate([[np.nan], episode.log_densities]))
        self.episodes, self.steps = self.episodes + 1, self.steps + steps

    def _publish(self) -> None:
        data = self._draft / "data"
        size = round((data / MAIN).stat().st_size / 1e6, 1)
        counts = {"total_episodes": self.episodes, "total_steps": self.steps, "dataset_size": size}
        fixed = {"data_format": "hdf5", "jpeg_encoding": True, "minari_version": MINARI}
        write_json(data / METADATA, {**fixed, **self.metadata, **counts})
        os.chmod(self._draft, 0o777 & ~current_umask())
        try:
            os.rename(self._draft, self._final)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                raise _taken(self._final) from error
            raise


def env_spec_json(spec: EnvSpec) -> str:
    """Return an environment's spec as Minari keeps it."""
    return json.dumps(json.loads(spec.to_json()), sort_keys=True)


def _group(parent: h5py.h5g.GroupID, name: str) -> h5py.h5g.GroupID:
    """Return a new group."""
    return h5py.h5g.create(parent, name.encode(), gcpl=_new_group())


def _put(group: h5py.h5g.GroupID, name: str, values: NDArray[Any]) -> None:
    """Write an array in one piece; short ones, as chunks, would take many times their size.

    Without the conveniences of h5py, which take twice as long as all else where episodes are short.
    """
    kind, layout = _kind(values.dtype), _new_dataset(values.nbytes <= COMPACT)
    dataset = h5py.h5d.create(group, name.encode(), kind, _simple(values.shape), layout)
    dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, np.ascontiguousarray(values), kind)


def _put_number(group: h5py.h5g.GroupID, name: str, value: int) -> None:
    """Write an integer attribute."""
    kind = h5py.h5t.NATIVE_INT64
    h5py.h5a.create(group, name.encode(), kind, _scalar()).write(np.asarray(value, dtype=np.int64), kind)


@cache
def _new_group() -> h5py.h5p.PropGCID:
    """Return what has a group not tell when it was made."""
    properties = h5py.h5p.create(h5py.h5p.GROUP_CREATE)
    properties.set_obj_track_times(False)
    return properties


@cache
def _new_dataset(compact: bool) -> h5py.h5p.PropDCID:
    """Return what has an array not tell when it was made, and be kept with what describes it if it is short."""
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_obj_track_times(False)
    if compact:
        properties.set_layout(h5py.h5d.COMPACT)
    return properties


@cache
def _kind(dtype: np.dtype[Any]) -> h5py.h5t.TypeID:
    """Return HDF5's name of a type."""
    return h5py.h5t.py_create(dtype, logical=True)


@lru_cache(maxsize=1024)
def _simple(shape: tuple[int, ...]) -> h5py.h5s.SpaceID:
    """Return the shape of an array."""
    return h5py.h5s.create_simple(shape)


@cache
def _scalar() -> h5py.h5s.SpaceID:
    """Return the shape of a number."""
    return h5py.h5s.create(h5py.h5s.SCALAR)


def _taken(path: Path) -> FileExistsError:
    return FileExistsError(f"A dataset needs a folder of its own; {path} exists. Delete it, or choose another.")


def _disk_error(error: OSError | RuntimeError, path: Path) -> OSError:
    """Return what to say when a dataset cannot be written."""
    free = shutil.disk_usage(path.parent).free / 1e6
    return OSError(
        f"A dataset needs room and the right to write ({reason(error)}); {path.parent} has {free:,.0f} MB left. Free "
        "some, or choose another folder by `--root` or MINARI_DATASETS_PATH. Nothing was left behind."
    )
