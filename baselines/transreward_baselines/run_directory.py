"""Run directories: whose they are, and checkpoints that are written whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

LOCK = ".lock"
"""File in a run's directory by which one process holds it."""

UNTOLD = {"relabel": False, "learn_from": "both", "whole_episodes": False}
"""Settings as they were in runs that do not tell them."""


class RunDirectoryError(RuntimeError):
    """A run directory cannot be used for what was asked."""


def check_directory(
    directory: Path,
    settings: Mapping[str, Any],
    *,
    may_change: Collection[str],
    read: Callable[[Path], Mapping[str, Any]],
    untold: Mapping[str, Any] = UNTOLD,
) -> None:
    """Check that a directory is a run's, or empty.

    Args:
        directory: The directory.
        settings: The run's.
        may_change: Names of settings that may differ when a run is resumed.
        read: Returns the settings of the run whose directory it is.
        untold: Settings as they were in runs that do not tell them.

    Raises:
        RunDirectoryError: It holds a run of other settings, or other files.
    """
    require_folder(directory)
    if (directory / "config.json").exists():
        theirs = {**{name: value for name, value in untold.items() if name in settings}, **read(directory)}
        names = [name for name in {**settings, **theirs} if name not in may_change]
        changed = {name: (theirs.get(name), settings.get(name)) for name in names}
        listing = "; ".join(
            f"{name}: {old!r} there, {new!r} asked for" for name, (old, new) in changed.items() if old != new
        )
        if listing:
            raise RunDirectoryError(
                f"A run directory belongs to one configuration; {directory} has another ({listing}). Choose another "
                "`--out`, or delete it."
            )
    elif directory.exists() and any(one.name != LOCK for one in directory.iterdir()):
        raise RunDirectoryError(
            f"A new run needs an empty directory; {directory} holds files and no config.json. Choose another `--out`."
        )


def require_folder(path: Path) -> None:
    """Raise ``RunDirectoryError`` if there is no such folder and none can be made: a file is in its place, or above."""
    for one in (path, *path.parents):
        if one.exists():
            if not one.is_dir():
                raise RunDirectoryError(f"A folder is needed at {path}; {one} is a file. Choose another, or delete it.")
            return


def read_settings(directory: Path) -> dict[str, Any]:
    """Return what a directory's ``config.json`` says.

    Raises:
        RunDirectoryError: It is not a run's.
    """
    path = directory / "config.json"
    try:
        settings: dict[str, Any] = dict(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise RunDirectoryError(
            f"A run's directory holds its configuration; {path} is not a run's configuration: "
            f"{getattr(error, 'strerror', None) or error}. Name the "
            "directory that a run was told by `--out`."
        ) from error
    return settings


@contextmanager
def held(directory: Path) -> Iterator[None]:
    """Keep a run's directory from other processes meanwhile; one that is new, and stays empty, goes again.

    Raises:
        RunDirectoryError: Another one has it.
    """
    new = not directory.exists()
    directory.mkdir(parents=True, exist_ok=True)
    lock = FileLock(directory / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise RunDirectoryError(
            f"A run's directory is filled by one process; another one trains in {directory}. Wait until it is done, or "
            "choose another `--out`."
        ) from error
    try:
        yield
    finally:
        lock.release()
        if new and [one.name for one in directory.iterdir()] == [LOCK]:
            shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def new_checkpoint(directory: Path, steps: int) -> Iterator[Path]:
    """Give a folder to write a checkpoint into; when that is done, it takes the place of the one before it."""
    final, draft = directory / f"checkpoint-{steps:012d}", directory / ".checkpoint"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    yield draft
    shutil.rmtree(final, ignore_errors=True)
    os.replace(draft, final)
    for older in checkpoints(directory)[:-1]:
        shutil.rmtree(older, ignore_errors=True)


def checkpoints(directory: Path) -> list[Path]:
    """Return a run's checkpoints, the newest last."""
    return sorted(directory.glob("checkpoint-*"))
