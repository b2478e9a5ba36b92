"""Laws by which a setting of a shift varies from episode to episode."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from transreward_envs.errors import require_count, require_finite, require_non_negative, require_positive


class Law(ABC):
    """How one number varies over episodes."""

    __slots__ = ()

    name: ClassVar[str]
    low: float
    high: float

    @abstractmethod
    def value(self, rng: np.random.Generator, *, episode: int, previous: float) -> float:
        """Return the value in an episode.

        Args:
            rng: The env's stream for shifts.
            episode: Counted from 0 at the last seeding.
            previous: The value of the episode before; unused in episode 0.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class _Between(Law):
    """A law with bounds."""

    low: float
    high: float

    def __post_init__(self) -> None:
        require_finite("low", self.low)
        require_finite("high", self.high)
        if not self.low < self.high:
            raise ValueError(f"A range has a lower and a higher end; got [{self.low}, {self.high}].")


@dataclass(frozen=True, kw_only=True, slots=True)
class Uniform(_Between):
    """Drawn anew at each reset, every value as likely as any other."""

    name: ClassVar[str] = "uniform"

    def value(self, rng: np.random.Generator, *, episode: int, previous: float) -> float:
        """Return a draw."""
        return float(rng.uniform(self.low, self.high))


@dataclass(frozen=True, kw_only=True, slots=True)
class UniformInteger(_Between):
    """Drawn anew at each reset, every whole number from ``low`` to ``high`` as likely as any other."""

    name: ClassVar[str] = "uniform"

    def value(self, rng: np.random.Generator, *, episode: int, previous: float) -> float:
        """Return a draw."""
        return float(rng.integers(round(self.low), round(self.high), endpoint=True))


@dataclass(frozen=True, kw_only=True, slots=True)
class LogUniform(_Between):
    """Drawn anew at each reset, every ratio as likely as any other: what suits factors such as 0.1 to 10."""

    name: ClassVar[str] = "log_uniform"

    def __post_init__(self) -> None:
        require_positive("low", self.low)
        _Between.__post_init__(self)

    def value(self, rng: np.random.Generator, *, episode: int, previous: float) -> float:
        """Return a draw."""
        return math.exp(rng.uniform(math.log(self.low), math.log(self.high)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Constant(Law):
    """The same in every episode."""

    name: ClassVar[str] = "constant"

    level: float

    def __post_init__(self) -> None:
        require_finite("level", self.level)

    @property
    def low(self) -> float:  # type: ignore[override]  # a bound of one value
        """The level."""
        return self.level

    @property
    def high(self) -> float:  # type: ignore[override]
        """The level."""
        return self.level

    def value(self, rng: np.random.Generator, *, episode: int, previous: float) -> float:
        """Return the level."""
        return self.level


@dataclass(frozen=True, kw_only=True, slots=True)
class RandomWalk(_Between):
    """A Gaussian step from each episode to the next, kept within bounds."""

    name: ClassVar[str] = "random_walk"

    std: float
    """Standard deviation of a step."""

    start: float | None = None
    """The first value; the middle when left out."""

    def __post_init__(self) -> None:
        _Between.__post_init__(self)
        require_non_negative("std", self.std)
        if self.std == 0.0:
            raise ValueError('A random walk takes steps; got std = 0.0. Use {"law": "constant"} for none.')
        if self.start is not None:
            require_finite("start", self.start)
            if not self.low <= self.start <= self.high:
                raise ValueError(f"`start` must lie within [{self.low}, {self.high}]; got {self.start!r}.")

    def value(self, rng: np.random.Generator, *, episode: int, previous: float) -> float:
        """Return the next value of the walk."""
        if episode == 0:
            return (self.low + self.high) / 2 if self.start is None else self.start
        return float(np.clip(previous + rng.normal(0.0, self.std), self.low, self.high))


@dataclass(frozen=True, kw_only=True, slots=True)
class StepChange(Law):
    """One level after another, each from a given episode on."""

    name: ClassVar[str] = "step_change"

    levels: tuple[float, ...]
    """The levels, in order."""

    episodes: tuple[int, ...]
    """The first episode of each level; the first is 0."""

    def __post_init__(self) -> None:
        for setting in ("levels", "episodes"):
            given = getattr(self, setting)
            if isinstance(given, str) or not isinstance(given, Sequence):
                raise TypeError(f"`{setting}` must be a list of numbers; got {given!r}.")
            object.__setattr__(self, setting, tuple(given))
        if not self.levels:
            raise ValueError("A schedule needs steps; `levels` is empty. Name at least one level and its episode.")
        if len(self.levels) != len(self.episodes):
            raise ValueError(
                f"Each level has its first episode; got {len(self.levels)} levels and {len(self.episodes)} episodes."
            )
        for level, episode in zip(self.levels, self.episodes, strict=True):
            require_finite("levels", level)
            require_count("episodes", episode)
        if self.episodes[0] != 0 or any(a >= b for a, b in zip(self.episodes, self.episodes[1:], strict=False)):
            raise ValueError(f"`episodes` start at 0 and grow; got {list(self.episodes)}.")

    @property
    def low(self) -> float:  # type: ignore[override]  # a bound of the levels
        """The lowest level."""
        return min(self.levels)

    @property
    def high(self) -> float:  # type: ignore[override]
        """The highest level."""
        return max(self.levels)

    def value(self, rng: np.random.Generator, *, episode: int, previous: float) -> float:
        """Return the level of the episode."""
        return self.levels[sum(first <= episode for first in self.episodes) - 1]


@dataclass(frozen=True, kw_only=True, slots=True)
class Cyclic(_Between):
    """A cosine between the bounds, from low to high and back within a period of episodes."""

    name: ClassVar[str] = "cyclic"

    period: int
    """Episodes from one low to the next."""

    def __post_init__(self) -> None:
        _Between.__post_init__(self)
        require_count("period", self.period, at_least=2)

    def value(self, rng: np.random.Generator, *, episode: int, previous: float) -> float:
        """Return the value of the episode."""
        phase = 2.0 * math.pi * episode / self.period
        return self.low + (self.high - self.low) * (1.0 - math.cos(phase)) / 2.0


RANDOM_LAWS: dict[str, type[Law]] = {law.name: law for law in (Uniform, LogUniform)}
"""Laws of ``shift_range``: each episode on its own."""

SCHEDULES: dict[str, type[Law]] = {law.name: law for law in (Constant, RandomWalk, StepChange, Cyclic)}
"""Laws of ``shift_schedule``: over episodes."""
