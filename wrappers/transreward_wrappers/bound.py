"""A compensation at work in a pair: what the wrapper of one environment and that of many lanes have in common."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from filelock import FileLock
from gymnasium.spaces import Box
from numpy.typing import NDArray

from transreward_envs.errors import unknown
from transreward_envs.pairs import Pair
from transreward_envs.training.roles import DOMAIN_INDEX
from transreward_wrappers.cache import fit_or_load
from transreward_wrappers.compensation import RECENT, Compensation, Float, Follower, Transitions
from transreward_wrappers.errors import CompensationError
from transreward_wrappers.storage import write_json

QUANTILES = (0.05, 0.5, 0.95)


class BoundCompensation:
    """Fits a compensation once, asks it for finite amounts, and lets it learn; environments may share one.

    Args:
        pair: The pair.
        compensation: The class.
        settings: Its keywords.
        observation_space: Of both domains.
        action_space: Of both domains.
        shared_state: Folder through which several processes learn together; each learns for itself when ``None``.

    Raises:
        ValueError: The compensation cannot serve the pair, or a setting is unknown or breaks its rule.
        TypeError: A space is no box.
    """

    def __init__(
        self,
        pair: Pair,
        compensation: type[Compensation],
        settings: dict[str, Any],
        *,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
        shared_state: str | None = None,
    ) -> None:
        self.pair = pair
        self.compensation = make_compensation(compensation, settings)
        self.compensation.check(pair)
        sizes = []
        for name, space in (("observation", observation_space), ("action", action_space)):
            if not isinstance(space, Box):
                raise TypeError(f"A compensation needs a Box {name} space; got {space}.")
            sizes.append(int(np.prod(space.shape)))
        self.compensation.bind(*sizes)
        self._shared_state = shared_state
        self._prepared = False
        self._steps = 0
        self._recent: deque[tuple[NDArray[np.int64], Float]] = deque(maxlen=RECENT)

    @property
    def replaces(self) -> bool:
        """Whether the environment's reward is never read."""
        return self.compensation.replaces

    def follower(self, lanes: int) -> Follower | None:
        """Return what follows the episodes of lanes, where the compensation pays for these."""
        return self.compensation.follower(lanes) if self.compensation.follows else None

    def own(self, rewards: Float) -> Float:
        """Return what remains of the environment's rewards, as ``(B,)``: all, or nothing where they are replaced."""
        return np.zeros(len(rewards)) if self.replaces else rewards.astype(np.float64)

    def pay(self, batch: Transitions, follower: Follower | None, lanes: NDArray[np.bool_]) -> Float:
        """Return what is added to each reward, as ``(B,)``, and let the compensation learn from it.

        Args:
            batch: A transition of each of some lanes.
            follower: Of the environment that they are from, if the compensation pays for episodes.
            lanes: Which lanes these are, as ``(L,)``.

        Raises:
            CompensationError: It is not finite.
        """
        self._steps += len(batch)
        paid = self.compensation.passing(batch) if follower is None else follower.pay(batch, lanes)
        delta = self._checked(paid, len(batch))
        self._recent.append((batch.domain, delta))
        self.compensation.update(batch)
        return delta

    def paid_for(self, batch: Transitions, failed: NDArray[np.bool_] | None = None) -> Float:
        """Return what an agent would be paid for transitions now, as ``(B,)``; nothing is learnt from them.

        Args:
            batch: The transitions.
            failed: In which the physics has failed, so that they are none, as ``(B,)``.

        Raises:
            CompensationError: It is not finite.
            ValueError: It hangs on whole episodes.
        """
        paid = self.own(batch.reward)
        if failed is None or not failed.any():
            return paid + self.evaluate(batch)
        if not failed.all():
            paid[~failed] += self.evaluate(batch.select(~failed))
        return paid

    def evaluate(self, batch: Transitions) -> Float:
        """Return what would be added to each reward, as ``(B,)``; nothing is learnt from it.

        Raises:
            CompensationError: It is not finite.
            ValueError: It hangs on whole episodes.
        """
        if self.compensation.follows:
            raise ValueError(
                f"{type(self.compensation).__name__} pays for how an episode goes, with these settings; of single "
                "transitions it cannot tell. Keep rewards as they were paid, without relabelling."
            )
        return self._checked(self.compensation(batch), len(batch))

    def diagnostics(self) -> dict[str, float]:
        """Return the compensation's figures, and mean and quantiles of what was lately paid in each domain."""
        figures = self.compensation.diagnostics()
        if not self._recent:
            return figures
        domain, delta = (np.concatenate(parts) for parts in zip(*self._recent, strict=True))
        for role, index in DOMAIN_INDEX.items():
            if len(paid := delta[domain == index]):
                figures[f"{role}_mean"] = float(paid.mean())
                for quantile, value in zip(QUANTILES, np.quantile(paid, QUANTILES), strict=True):
                    figures[f"{role}_quantile_{quantile:g}"] = float(value)
        return figures

    def prepare(self, *, fit: bool = True) -> None:
        """Fit or load what is needed, and begin to share it, once."""
        if self._prepared:
            return
        if fit and self.compensation.fits:
            fit_or_load(self.compensation, self.pair)
        if self._shared_state is not None:
            self._claim(Path(self._shared_state))
            self.compensation.share(Path(self._shared_state))
        self._prepared = True

    def save_state(self, path: str) -> None:
        """Write what the compensation has learnt, for a run to resume from; it is fitted before if need be."""
        self.prepare()
        self.compensation.save(Path(path))

    def load_state(self, path: str) -> None:
        """Read what :meth:`save_state` wrote; a compensation that keeps nothing has nothing to read.

        Raises:
            FileNotFoundError: There is no such file.
            CorruptFileError: It is not what was written.
        """
        keeps = type(self.compensation).save is not Compensation.save
        if keeps and not Path(path).is_file():
            raise FileNotFoundError(
                f"What a compensation has learnt is read from what `save_state` wrote; there is none at {path}."
            )
        self.prepare(fit=not keeps)
        if keeps:
            self.compensation.load(Path(path))

    def _checked(self, given: Any, count: int) -> Float:
        """Return finite amounts, one a transition.

        Raises:
            CompensationError: They are not.
        """
        name, delta = type(self.compensation).__name__, np.asarray(given)
        if delta.shape != (count,) or delta.dtype.kind not in "fiu":
            raise CompensationError(
                f"A compensation is a number for each of the {count} transitions, as an array of shape ({count},); "
                f"{name} returned {type(given).__name__} of shape {delta.shape} and type {delta.dtype}."
            )
        delta = delta.astype(np.float64)
        if not np.isfinite(delta).all():
            raise CompensationError(
                f"A compensation must be finite; {name} returned {delta[~np.isfinite(delta)][0]} at step "
                f"{self._steps} of {self.pair.name}. If it has networks, they have diverged: lower their learning "
                "rate, or delete the fit in the cache if it was loaded from there."
            )
        return delta

    def identity(self) -> dict[str, Any]:
        """Return what environments that learn together have in common."""
        cls = type(self.compensation)
        about = {"pair": self.pair.to_json(), "settings": self.compensation.settings()}
        return {"compensation": f"{cls.__module__}:{cls.__qualname__}", **about}

    def _claim(self, directory: Path) -> None:
        """Make a shared folder that of this compensation and these settings, or check that it is."""
        path, mine = directory / "compensation.json", json.loads(json.dumps(self.identity()))
        directory.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):
            if not path.exists():
                write_json(path, mine)
            elif (theirs := json.loads(path.read_text())) != mine:
                raise ValueError(
                    f"A `shared_state` folder belongs to one run; {directory} to {theirs}, not to {mine}. Choose "
                    "another folder, or delete it."
                )


class HasCompensation:
    """What a wrapper shows of the compensation that it has at work, which others may share."""

    _bound: BoundCompensation

    @property
    def pair(self) -> Pair:
        """The pair."""
        return self._bound.pair

    @property
    def compensation(self) -> Compensation:
        """The compensation."""
        return self._bound.compensation

    @property
    def diagnostics(self) -> dict[str, float]:
        """Running figures of the compensation, for a logger."""
        return self._bound.diagnostics()

    def paid_for(self, batch: Transitions, failed: NDArray[np.bool_] | None = None) -> Float:
        """Return what an agent would be paid for any transitions now, as ``(B,)``; nothing is learnt from them.

        Args:
            batch: The transitions.
            failed: In which the physics has failed, so that they are none, as ``(B,)``.

        Raises:
            CompensationError: It is not finite.
            ValueError: It hangs on whole episodes.
        """
        return self._bound.paid_for(batch, failed)

    def save_state(self, path: str) -> None:
        """Write what the compensation has learnt, for a run to resume from; ``steps()`` are to be kept beside it."""
        self._bound.save_state(path)

    def load_state(self, path: str) -> None:
        """Read what :meth:`save_state` wrote; steps taken are put back by ``restore_steps(**steps)``.

        Raises:
            FileNotFoundError: There is no such file.
            CorruptFileError: It is not what was written.
        """
        self._bound.load_state(path)


def load_compensation(compensation: str | type[Compensation]) -> type[Compensation]:
    """Return a compensation's class.

    Raises:
        TypeError: It is no compensation.
    """
    cls: Any = compensation
    if isinstance(compensation, str):
        module, _, name = compensation.partition(":")
        cls = getattr(importlib.import_module(module), name)
    if not (isinstance(cls, type) and issubclass(cls, Compensation)):
        raise TypeError(f"A compensation is a subclass of transreward_wrappers.Compensation; got {cls!r}.")
    return cls


def make_compensation(cls: type[Compensation], settings: dict[str, Any], *, more: Iterable[str] = ()) -> Compensation:
    """Return a compensation with these settings; an error names the settings in ``more`` too.

    Raises:
        ValueError: A setting is unknown or breaks its rule.
    """
    names = setting_names(cls)
    for name in settings:
        if name not in names:
            raise ValueError(unknown(f"setting of {cls.__name__}", name, [*names, *more]))
    return cls(**{name: _plain(value) for name, value in settings.items()})


def _plain(value: Any) -> Any:
    """Return NumPy's numbers as Python's, and paths as strings."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value.item() if isinstance(value, np.generic) else value


def setting_names(cls: type[Compensation]) -> list[str]:
    """Return the names of a compensation's settings."""
    return [field.name for field in dataclasses.fields(cls) if field.init] if dataclasses.is_dataclass(cls) else []
