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
from transreward_envs.pairs import Pair
from transreward_wrappers.errors import CorruptFileError

if TYPE_CHECKING:
    from transreward_wrappers.compensation import Compensation


def cache_directory() -> Path:
    """Return the folder of cached fits: ``TRANSREWARD_CACHE``, or the user's cache folder."""
    return Path(os.environ.get("TRANSREWARD_CACHE") or platformdirs.user_cache_dir("transreward"))


def fit_path(compensation: Compensation, pair: Pair) -> Path:
    """Return where the fit of a compensation to a pair is cached; another simulator version has another."""
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
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
    return cache_directory() / f"{cls.__name__.lower()}-{digest[:24]}.safetensors"


def fit_or_load(compensation: Compensation, pair: Pair) -> None:
    """Load the cached fit, or fit and cache it; of several processes at once, one fits and the others wait.

    A file that cannot be read is made again, with a warning.
    """
    path = fit_path(compensation, pair)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        try:
            compensation.load(path)
            return
        except FileNotFoundError:
            pass
        except CorruptFileError as error:
            warnings.warn(f"A cached fit is unusable and is made again: {error}", stacklevel=2)
        source, target = (pair.make(role, disable_env_checker=True) for role in ("source", "target"))
        try:
            compensation.fit(source, target)
        finally:
            source.close()
            target.close()
        compensation.save(path)
