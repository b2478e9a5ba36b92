"""Films of one domain: frames at given simulated times, whatever the domain's steps are."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from transreward_envs import Pair
from transreward_envs.pairs import ROLES, Role

Actor = Callable[[Any, float], Any]
"""From an observation ``(observation_size,)`` and the simulated time [s] to an action ``(action_size,)``."""

Image = NDArray[np.uint8]
"""``(height, width, 3)``."""

_TRACKED = ("Hopper", "Walker2d", "HalfCheetah", "Ant", "Humanoid", "Swimmer")
"""Robots whose model has a camera that moves with them."""

_TICK = 1e-6
"""Far below any time step [s]: what sums of time steps are off by is less."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """A domain at one simulated time."""

    image: Image
    time: float
    """Simulated time of the state that is shown [s]."""
    position: float | None
    """How far the robot has come along x [m], for robots that run."""
    reward: float
    """Return so far, the step under way included."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Film:
    """The frames of one domain, one a moment; past the episode's end, further motion or its last frame held."""

    role: Role
    frames: tuple[Frame, ...]
    over: float | None
    """When the episode ended [s], if it did."""
    held: bool
    """Whether the frames after that are all its last one."""


def control_step(pair: Pair, role: Role) -> float:
    """Return the simulated time of one control step of a domain [s], which a repeat does not lengthen."""
    env = pair.make(role, disable_env_checker=True)
    try:
        return float(env.unwrapped.dt)  # type: ignore[attr-defined]
    finally:
        env.close()


def moments(pair: Pair, *, steps: int | None, seconds: float, fps: int) -> NDArray[np.float64]:
    """Return when frames are taken [s]: from 0 on, a whole number of the longer control step apart.

    Args:
        pair: The pair.
        steps: Length in control steps of the domain whose control step is longer; ``seconds`` if it is ``None``.
        seconds: Length, cut to the episodes' time limit [s].
        fps: Frames per simulated second that are wished for [1/s].
    """
    durations = {role: control_step(pair, role) for role in ROLES}
    longest = max(durations.values())
    apart = max(round(1.0 / (fps * longest)), 1)
    if steps is None:
        limit = max(durations[role] * pair.robot_of(role).max_episode_steps for role in ROLES)
        steps = math.floor(min(seconds, limit) / longest + _TICK)
    return np.arange(0, steps + 1, apart, dtype=np.float64) * np.float64(longest)


def film(
    pair: Pair,
    role: Role,
    actor: Actor,
    times: Sequence[float] | NDArray[np.float64],
    *,
    seed: int,
    hold: bool,
    camera: dict[str, Any] | None = None,
    width: int = 320,
    height: int = 240,
    report: Callable[[], object] = lambda: None,
) -> Film:
    """Return a film of one domain, from the start of an episode.

    Args:
        pair: The pair.
        role: The domain.
        actor: What acts.
        times: When frames are taken, in order [s].
        seed: Of the domain.
        hold: Stop where the episode ends and hold its last frame, instead of simulating on without reward.
        camera: Settings of a camera that stands still; one that follows the robot when left out.
        width: Of a frame [pixels].
        height: Of a frame [pixels].
        report: Called after each frame.
    """
    follows = camera is None and pair.robot_of(role).name in _TRACKED
    view: dict[str, Any] = {"camera_name": "track"} if follows else {}
    if camera is not None:
        view = {"default_camera_config": camera}
    env = pair.make(role, render_mode="rgb_array", disable_env_checker=True, width=width, height=height, **view)
    try:
        return _Recording(env, times, report).run(role, actor, seed=seed, hold=hold)
    finally:
        env.close()


def shortened(films: tuple[Film, Film], times: NDArray[np.float64], *, rest: float = 0.5) -> tuple[Film, Film]:
    """Return films that stop ``rest`` seconds after both episodes are over, where their last frames are held."""
    ends = [film.over for film in films if film.held and film.over is not None]
    if len(ends) < len(films):
        return films
    count = int(np.searchsorted(times, max(ends) + rest)) + 1
    source, target = (replace(film, frames=film.frames[:count]) for film in films)
    return source, target


def space_shapes(pair: Pair) -> tuple[tuple[int, ...] | None, tuple[int, ...] | None]:
    """Return the shapes of the target's observation and action."""
    env = pair.make("target", disable_env_checker=True)
    env.close()
    return env.observation_space.shape, env.action_space.shape


class _Recording:
    """Looks at a domain after each control step, those within a repeated action too."""

    def __init__(self, env: gym.Env[Any, Any], times: Any, report: Callable[[], object]) -> None:
        self._env, self._times, self._report = env, times, report
        self._domain: Any = cast(Any, env.unwrapped)
        self._frames: list[Frame] = []
        self._pending: list[tuple[Image, float, float | None]] = []
        self._simulate = self._domain.do_simulation
        self._domain.do_simulation = self._simulate_and_look

    def run(self, role: Role, actor: Actor, *, seed: int, hold: bool) -> Film:
        """Step the domain to the last moment, or to the end of the episode."""
        observation, info = self._env.reset(seed=seed)
        self._runs = "x_position" in info
        self._look()
        self._settle(total := 0.0)
        over: float | None = None
        while len(self._frames) < len(self._times) and not (hold and over is not None):
            time = float(self._domain.data.time)
            observation, reward, terminated, truncated, _ = self._env.step(actor(observation, time))
            total += float(reward) if over is None else 0.0
            self._settle(total)
            if over is None and (terminated or truncated):
                over = float(self._domain.data.time)
        if missing := len(self._times) - len(self._frames):
            last = Frame(image=self._image(), time=over or 0.0, position=self._position(), reward=total)
            self._frames += [last] * missing
            for _ in range(missing):
                self._report()
        return Film(role=role, frames=tuple(self._frames), over=over, held=hold)

    def _simulate_and_look(self, ctrl: Any, n_frames: int) -> None:
        self._simulate(ctrl, n_frames)
        self._look()

    def _look(self) -> None:
        """Take the frames that are due; a control step of another length may be late, by less than its length."""
        time = float(self._domain.data.time)
        while (taken := len(self._frames) + len(self._pending)) < len(self._times):
            if time < self._times[taken] - _TICK:
                return
            self._pending.append((self._image(), time, self._position()))

    def _settle(self, total: float) -> None:
        """Write the return under the frames of the step that is done."""
        for image, time, position in self._pending:
            self._frames.append(Frame(image=image, time=time, position=position, reward=total))
            self._report()
        self._pending.clear()

    def _image(self) -> Image:
        return np.array(self._env.render(), dtype=np.uint8)

    def _position(self) -> float | None:
        """Return the position along x [m] of a robot that runs."""
        return float(self._domain.data.qpos[0]) if self._runs else None
