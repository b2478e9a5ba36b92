"""Fits on disk: made once, found again under a hash of all they depend on."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import gymnasium
import mujoco
import platformdirs
from filelock import FileLock

import transreward_envs
from transreward_envs.pairs import ROLES, Pair
from transreward_wrappers.errors import CorruptFileError
from transreward_wrappers.storage import write_json

if TYPE_CHECKING:
    from transreward_wrappers.compensation import Compensation


def cache_directory() -> Path:
    """Return the folder of cached fits: ``TRANSREWARD_CACHE``, or the user's cache folder."""
    return Path(os.environ.get("TRANSREWARD_CACHE") or platformdirs.user_cache_dir("transreward"))


def fit_or_load(compensation: Compensation, pair: Pair) -> None:
    """Load the cached fit, or fit and cache it; of several processes at once, one fits and the others wait.

    A file that cannot be read, or is the fit of something else, is made again, with a warning.
    """
    key = _key(compensation, pair)
    path = cache_directory() / f"{type(compensation).__name__.lower()}-{key[:24]}.safetensors"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(
            f"Fits are cached in a folder that can be written to; {path.parent} cannot be made ({error}). Name another "
            "by TRANSREWARD_CACHE."
        ) from error
    with FileLock(f"{path}.lock"):
        if path.exists():
            try:
                _check_key(path, key)
                compensation.load(path)
                return
            except (CorruptFileError, KeyError, TypeError, ValueError, RuntimeError) as error:
                warnings.warn(f"A cached fit is unusable and is made again: {error}", stacklevel=2)
        source, target = (pair.make(role, disable_env_checker=True) for role in ROLES)
        try:
            compensation.fit(source, target)
        finally:
            source.close()
            target.close()
        compensation.save(path)
        if path.exists():
            write_json(_key_path(path), {"key": key, "sha256": _digest(path)})


def _key(compensation: Compensation, pair: Pair) -> str:
    """Return a digest of all that a fit depends on, the simulator's version among it."""
    cls = type(compensation)
    about = {
        "compensation": f"{cls.__module__}:{cls.__qualname__}",
        "key": compensation.fit_key(pair),
        "versions": {
            "gymnasium": gymnasium.__version__,
            "mujoco": mujoco.__version__,
            "transreward_envs": transreward_envs.__version__,
        },
    }
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def _check_key(path: Path, key: str) -> None:
    """Check that a file is the fit that was cached under a key.

    Raises:
        CorruptFileError: It is not, or nothing tells.
    """
    try:
        written = json.loads(_key_path(path).read_text())
    except (OSError, ValueError) as error:
        raise CorruptFileError(f"{path} has no readable record of what it is ({error}). Delete it.") from error
    if written != {"key": key, "sha256": _digest(path)}:
        raise CorruptFileError(f"{path} is not the fit that was cached under its name. Delete it.")


def _key_path(path: Path) -> Path:
    return path.with_suffix(".json")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
