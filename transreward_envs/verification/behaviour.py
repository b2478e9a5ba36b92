"""The observable effect of shifts that no model shows: on the control path, the observation and the reward."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from transreward_envs.robots.control import ControlPath
from transreward_envs.robots.domain import Domain
from transreward_envs.shifts import (
    ActionDelay,
    ActionNoise,
    ActionRepeat,
    DirectionShift,
    ObservationNoise,
    RewardShift,
    Shift,
    SparseReward,
    VelocityShift,
)
from transreward_envs.verification.report import Check

DRAWS = 2_000
STANDARD_ERRORS = 5.0


def behaviour_effects(shift: Shift, domain: Domain, without: Domain) -> Iterator[Check]:
    """Yield the checks of a shift's own effect: a domain with it, against the same domain without it."""
    checks: Iterator[Check] = iter(())
    if isinstance(shift, ActionDelay):
        checks = _delay(shift, domain)
    elif isinstance(shift, ActionNoise):
        checks = _noise(shift, domain)
    elif isinstance(shift, ActionRepeat):
        checks = _repeat(shift, domain, without)
    elif isinstance(shift, ObservationNoise):
        checks = _observation_noise(shift, domain)
    elif isinstance(shift, RewardShift):
        checks = _reward(shift, domain, without)
    for check in checks:
        yield check.of(shift.label)


def _delay(shift: ActionDelay, domain: Domain) -> Iterator[Check]:
    """One action among zeros, and when it arrives at the actuators."""
    domain.reset(seed=0)
    impulse = 0.5 * highest_action(domain)
    arrived = []
    for step in range(shift.steps + 2):
        domain.step(impulse if step == 0 else np.zeros_like(impulse))
        arrived.append(bool(np.any(np.abs(domain.data.ctrl) > 1e-9)))
    yield Check.close("step at which an action arrives", shift.steps, arrived.index(True) if any(arrived) else -1)


def _noise(shift: ActionNoise, domain: Domain) -> Iterator[Check]:
    """Moments of what is added to an action of zeros."""
    size = domain.model.nu
    path = ControlPath(domain.shifts, action_size=size, memory=0)
    path.reset(np.random.default_rng(0))
    drawn = np.array([path.control(np.zeros(size, dtype=np.float32)) for _ in range(DRAWS)])
    widths = shift.width_per_dimension(size)
    noisy = widths > 0
    yield Check.holds("draws lie within the width", bool(np.all(np.abs(drawn) <= widths)), f"{np.abs(drawn).max():.4g}")
    yield Check.holds(
        "they nearly reach it", bool(np.all(np.abs(drawn[:, noisy]).max(0) > 0.98 * widths[noisy])), "yes"
    )
    error = STANDARD_ERRORS * shift.half_width / np.sqrt(3.0 * DRAWS)
    yield Check.holds(
        "their mean is 0", bool(np.abs(drawn.mean(0)).max() < error), f"{np.abs(drawn.mean(0)).max():.4g}"
    )
    spread = drawn[:, noisy].std(0) * np.sqrt(3.0) / shift.half_width
    yield Check.holds("their deviation is that of a uniform law", bool(np.abs(spread - 1.0).max() < 0.05), "yes")


def _repeat(shift: ActionRepeat, domain: Domain, without: Domain) -> Iterator[Check]:
    """How long an action lasts."""
    times = [_time_of_a_step(one) for one in (without, domain)]
    yield Check.close("time that an action lasts [s]", shift.times * times[0], times[1])


def _observation_noise(shift: ObservationNoise, domain: Domain) -> Iterator[Check]:
    """Moments of what is added to an observation."""
    observation, _ = domain.reset(seed=0)
    drawn = np.array([domain._observed(np.zeros(observation.shape)) for _ in range(DRAWS // observation.size + 50)])
    deviation = float(drawn.std())
    yield Check.holds("standard deviation", abs(deviation / shift.std - 1.0) < 0.1, f"{deviation:.4g}")
    states = []
    for _ in range(2):
        domain.reset(seed=0)
        states.append(domain.data.qpos.copy())
    yield Check.holds("the state itself has none", bool(np.array_equal(*states)), "same states")


def _reward(shift: RewardShift, domain: Domain, without: Domain) -> Iterator[Check]:
    """The reward of equal transitions, in a running start and standing still."""
    for speed in (-2.0, 0.5, 4.0):
        position = 1.0 + (shift.distance if isinstance(shift, SparseReward) and speed > 0 else 0.0)
        rewards: list[float] = []
        info: dict[str, Any] = {}
        for one in (without, domain):
            one.reset(seed=1)
            qpos, qvel = one.data.qpos.copy(), one.data.qvel.copy()
            qpos[0], qvel[0] = position, speed
            one.set_state(qpos, qvel)
            _, reward, _, _, info = one.step(0.3 * highest_action(one))
            rewards.append(float(reward))
        expected = _expected_reward(shift, rewards[0], info, weight=float(domain._forward_reward_weight))  # type: ignore[attr-defined]
        what = f"reward of a step at {info['x_velocity']:.3g} m/s"
        yield Check.close(what, expected, rewards[1], tolerance=1e-5)  # stock costs are in single precision


def _expected_reward(shift: RewardShift, own: float, info: dict[str, Any], *, weight: float) -> float:
    """Return the shifted reward of a transition whose own reward is known."""
    velocity, position = float(info["x_velocity"]), float(info["x_position"])
    if isinstance(shift, SparseReward):
        return 1.0 if position >= shift.distance else 0.0
    if isinstance(shift, VelocityShift):
        return own - weight * velocity - weight * abs(velocity - shift.goal)
    assert isinstance(shift, DirectionShift)
    turned = {"forward": velocity, "backward": -velocity, "either": abs(velocity)}[shift.heading]
    return own - weight * velocity + weight * turned


def highest_action(domain: Domain) -> NDArray[np.float32]:
    """Return the upper end of the action space, as ``(nu,)``; the lower is its negative."""
    assert isinstance(domain.action_space, Box)
    return domain.action_space.high


def _time_of_a_step(domain: Domain) -> float:
    """Return how long one action of the agent lasts [s]."""
    domain.reset(seed=0)
    start = float(domain.data.time)
    domain.step(np.zeros(domain.action_space.shape or (), dtype=np.float32))
    return float(domain.data.time) - start
