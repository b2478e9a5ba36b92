"""The directory of a study, which belongs to one experiment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock

from transreward_baselines.run_directory import LOCK, check_directory, read_settings, require_folder
from transreward_wrappers.storage import write_json


def claim(directory: Path, settings: Mapping[str, Any]) -> None:
    """Take a directory for an experiment, or go on with it there; several commands may at the same time.

    Settings are checked before, so that one that breaks a rule leaves no directory behind.

    Raises:
        RunDirectoryError: It holds an experiment of other settings, or other files.
    """
    require_folder(directory)
    directory.mkdir(parents=True, exist_ok=True)
    with FileLock(directory / LOCK):
        check_directory(directory, settings, may_change=(), read=read_settings)
        write_json(directory / "config.json", dict(settings))
