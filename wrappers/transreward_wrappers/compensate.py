"""The reward wrapper: environment reward plus compensation."""

from __future__ import annotations

import dataclasses
import importlib
import json
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from filelock import FileLock
from gymnasium.spaces import Box
from gymnasium.utils import RecordConstructorArgs

from transreward_envs.errors import unknown
from transreward_envs.pairs import Pair
from transreward_envs.training.budget import join_environments
from transreward_envs.training.schedule import DOMAIN_INDEX
from transreward_wrappers.cache import fit_or_load
from transreward_wrappers.compensation import Compensation, Transitions
from transreward_wrappers.errors import CompensationError
from transreward_wrappers.storage import write_json

Env = gym.Env[Any, Any]


class Compensate(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Pay ``env reward + compensation``; observations, actions and the ends of episodes pass through untouched.

    ``info["reward/env"]`` and ``info["reward/compensation"]`` sum to the reward exactly; the return of compensated
    rewards is ``info["episode_compensated"]``, beside the environment's own ``info["episode_env"]``. What the
    compensation must fit is fitted at the first reset, and cached. A reset with a seed reseeds both domains and the
    compensation; it forgets nothing that was learnt.

    Args:
        env: The domains, their time limit and episode statistics.
        pair: The pair that ``env`` acts in, as :meth:`~transreward_envs.Pair.to_json` gives it, or as a value.
        compensation: ``module:class`` of a compensation, or the class.
        settings: Keywords of that class.
        shared_state: Folder through which several processes learn together; each learns for itself when ``None``.

    Raises:
        ValueError: The compensation cannot serve the pair, or a setting is unknown or breaks its rule.
        TypeError: ``env`` compensates already, or has no box spaces.
    """

    def __init__(
        self,
        env: Env,
        *,
        pair: Pair | dict[str, Any],
        compensation: str | type[Compensation],
        settings: dict[str, Any] | None = None,
        shared_state: str | None = None,
    ) -> None:
        pair = pair if isinstance(pair, Pair) else Pair.from_json(pair)
        cls = load_compensation(compensation)
        RecordConstructorArgs.__init__(
            self,
            pair=pair.to_json(),
            compensation=f"{cls.__module__}:{cls.__qualname__}",
            settings=dict(settings or {}),
            shared_state=shared_state,
        )
        gym.Wrapper.__init__(self, env)
        self.pair = pair
        self.compensation = make_compensation(cls, settings or {})
        self.compensation.check(pair)
        self._check_env(env)
        assert isinstance(env.observation_space, Box)
        assert isinstance(env.action_space, Box)
        self.compensation.bind(int(np.prod(env.observation_space.shape)), int(np.prod(env.action_space.shape)))
        self._shared_state = shared_state
        self._prepared = False
        self._leader: Compensate | None = None
        self._steps = 0
        self._observation: Any = None
        self._compensated_return, self._length = 0.0, 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode; fit the compensation if this is the first."""
        self._prepare()
        if seed is not None:
            self.compensation.reseed(seed)
        self._observation, info = self.env.reset(seed=seed, options=options)
        self._compensated_return, self._length = 0.0, 0
        return self._observation, {**info, "reward/env": 0.0, "reward/compensation": 0.0}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Step, compensate, and let the compensation learn from what it has just paid."""
        following, reward, terminated, truncated, info = self.env.step(action)
        batch = Transitions(
            observation=np.asarray(self._observation)[None],
            action=np.asarray(action, dtype=np.float64)[None],
            reward=np.array([reward], dtype=np.float64),
            next_observation=np.asarray(following)[None],
            terminated=np.array([terminated]),
            domain=np.array([info.get("domain", DOMAIN_INDEX["target"])]),
        )
        self._steps += 1
        paid = float(reward)
        delta = self._delta(batch)
        self.compensation.update(batch)
        self._observation = following
        total = paid + delta
        self._compensated_return += total
        self._length += 1
        info = {**info, "reward/env": paid, "reward/compensation": delta}
        if terminated or truncated:
            info["episode_compensated"] = {"r": self._compensated_return, "l": self._length}
        return following, total, terminated, truncated, info

    @property
    def diagnostics(self) -> dict[str, float]:
        """Running figures of the compensation, for a logger."""
        return self.compensation.diagnostics()

    def join(self, other: Compensate) -> None:
        """Learn, count steps and spend the budget together with another environment of this process.

        Raises:
            ValueError: The other has another compensation or other settings.
            RuntimeError: An episode has been started.
        """
        if self._identity() != other._identity():
            raise ValueError(
                f"Environments that learn together have the same compensation and settings; got {self._identity()} and "
                f"{other._identity()}."
            )
        self.compensation, self._leader = other.compensation, other
        join_environments([other.env, self.env])

    def save_state(self, path: str) -> None:
        """Write what the compensation has learnt, for a run to resume from."""
        self.compensation.save(Path(path))

    def load_state(self, path: str) -> None:
        """Read what :meth:`save_state` wrote; without such a file the compensation is fitted as for a new run."""
        self._prepare(fit=not Path(path).exists())
        if Path(path).exists():
            self.compensation.load(Path(path))

    def _delta(self, batch: Transitions) -> float:
        """Return the compensation of one transition.

        Raises:
            CompensationError: It is not finite.
        """
        delta = float(self.compensation(batch)[0])
        if not np.isfinite(delta):
            raise CompensationError(
                f"A compensation must be finite; {type(self.compensation).__name__} returned {delta} at step "
                f"{self._steps} of {self.pair.name}. Its networks have diverged: lower their learning rate, or delete "
                "the fit in the cache if it was loaded from there."
            )
        return delta

    def _prepare(self, *, fit: bool = True) -> None:
        """Fit or load what is needed, and begin to share it, once."""
        if self._leader is not None:
            self._leader._prepare(fit=fit)
            return
        if self._prepared:
            return
        if fit and self.compensation.fits:
            fit_or_load(self.compensation, self.pair)
        if self._shared_state is not None:
            self._claim(Path(self._shared_state))
            self.compensation.share(Path(self._shared_state))
        self._prepared = True

    def _claim(self, directory: Path) -> None:
        """Make a shared folder that of this compensation and these settings, or check that it is."""
        path, mine = directory / "compensation.json", self._identity()
        directory.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):
            if not path.exists():
                write_json(path, mine)
            elif (theirs := json.loads(path.read_text())) != mine:
                raise ValueError(
                    f"A `shared_state` folder belongs to one run; {directory} to {theirs}, not to {mine}. Choose "
                    "another folder, or delete it."
                )

    def _identity(self) -> dict[str, Any]:
        """Return what environments that learn together have in common."""
        cls = type(self.compensation)
        return {"compensation": f"{cls.__module__}:{cls.__qualname__}", "settings": self.compensation.settings()}

    @staticmethod
    def _check_env(env: Env) -> None:
        layer: Any = env
        while isinstance(layer, gym.Wrapper):
            if isinstance(layer, Compensate):
                raise TypeError(
                    f"An environment is compensated once; this one has {type(layer.compensation).__name__} already. "
                    "Wrap the domains themselves, such as those of a `-mixture-v0` id."
                )
            layer = layer.env
        for name, space in (("observation", env.observation_space), ("action", env.action_space)):
            if not isinstance(space, Box):
                raise TypeError(f"A compensation needs a Box {name} space; got {space}.")


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


def make_compensation(cls: type[Compensation], settings: dict[str, Any]) -> Compensation:
    """Return a compensation with these settings.

    Raises:
        ValueError: A setting is unknown or breaks its rule.
    """
    names: list[str] = (
        [field.name for field in dataclasses.fields(cls) if field.init] if dataclasses.is_dataclass(cls) else []
    )
    for name in settings:
        if name not in names:
            raise ValueError(unknown(f"setting of {cls.__name__}", name, names))
    return cls(**settings)
