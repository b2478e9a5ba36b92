"""The observable effect of shifts that no model shows: on the control path, the observation and the reward."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
ERRORS = 5.0
"""Standard errors within which a moment must lie."""

Shifts = tuple[Shift, ...]
Make = Callable[[Shifts], Domain]
Array = NDArray[np.float64]


def behaviour_effects(shift: Shift, shifts: Shifts, make: Make) -> Iterator[Check]:
    """Yield the checks of a shift's own effect, in a domain with it against the same domain without it.

    Args:
        shift: Of the control path, the observation or the reward; others have no check here.
        shifts: All shifts of the domain.
        make: Makes the domain with other shifts.
    """
    checks: Iterator[Check] = iter(())
    if isinstance(shift, ActionDelay):
        checks = _delay(shift, make(_but(shifts, ActionNoise)))
    elif isinstance(shift, ActionNoise):
        checks = _noise(shift, make(_but(shifts, ActionRepeat)))
    elif isinstance(shift, ActionRepeat):
        quiet = _but(shifts, ActionNoise)
        checks = _repeat(shift, make(quiet), make(_but(quiet, ActionRepeat)))
    elif isinstance(shift, ObservationNoise):
        checks = _observation_noise(shift, make(shifts), make(_but(shifts, ObservationNoise)))
    elif isinstance(shift, RewardShift):
        single = _but(shifts, ActionRepeat)
        checks = _reward(shift, make(single), make(_but(single, RewardShift)))
    yield from (check.of(shift.label) for check in checks)


def highest_action(domain: Domain) -> NDArray[np.float32]:
    """Return the upper end of the action space, as ``(nu,)``; the lower is its negative."""
    assert isinstance(domain.action_space, Box)
    return domain.action_space.high


def _but(shifts: Shifts, family: type) -> Shifts:
    """Return the shifts of other families."""
    return tuple(shift for shift in shifts if not isinstance(shift, family))


def _delay(shift: ActionDelay, domain: Domain) -> Iterator[Check]:
    """One action among zeros: it arrives whole, at its step, and never again."""
    domain.reset(seed=0)
    impulse = 0.5 * highest_action(domain)
    arrived = []
    for step in range(shift.steps + 2):
        domain.step(impulse if step == 0 else np.zeros_like(impulse))
        arrived.append(np.array(domain.control_now))
    wanted = np.zeros((shift.steps + 2, len(impulse)))
    wanted[shift.steps] = impulse
    yield Check.close(f"what reaches the actuators by an action, {shift.steps} steps late", wanted, np.array(arrived))


def _noise(shift: ActionNoise, domain: Domain) -> Iterator[Check]:
    """What is added to an action of zeros: its moments, and that it reaches the simulator."""
    size = domain.model.nu
    path = ControlPath(domain.shifts, action_size=size, memory=0)
    path.reset(np.random.default_rng(0))
    drawn = np.array([path.control(np.zeros(size, dtype=np.float32)) for _ in range(DRAWS)])
    own = shift.width_per_dimension(size) > 0
    drawn = drawn[:, own] / shift.half_width
    most = float(np.abs(drawn).max())
    yield Check.holds("draws lie within the width, and nearly reach it", 0.98 < most <= 1.0, f"{most:.4g} of it")
    yield from _white(drawn, deviation=1.0 / np.sqrt(3.0))
    domain.reset(seed=0)
    domain.step(np.zeros(size, dtype=np.float32))
    control = np.abs(np.array(domain.control_now)[own])
    reached = bool(np.all((control > 0.0) & (control <= shift.half_width)))
    yield Check.holds("it reaches the actuators", reached, f"{control.max():.4g}")


def _repeat(shift: ActionRepeat, domain: Domain, without: Domain) -> Iterator[Check]:
    """How long an action lasts, and that it earns the sum of the rewards; a termination ends both."""
    for one in (without, domain):
        one.reset(seed=0)
    start, action = float(domain.data.time), 0.1 * highest_action(domain)
    reward = float(domain.step(action)[1])
    total, steps = 0.0, 0
    begun = float(without.data.time)
    for _ in range(shift.times):
        _, more, terminated, _, _ = without.step(action)
        total, steps = total + float(more), steps + 1
        if terminated:
            break
    lasted = float(without.data.time) - begun
    yield Check.close(f"time that {steps} control steps last [s]", lasted, float(domain.data.time) - start)
    yield Check.close(f"reward of {steps} control steps", total, reward, absolute=1e-5)


def _observation_noise(shift: ObservationNoise, domain: Domain, without: Domain) -> Iterator[Check]:
    """Moments of what is added to an observation; the state has none of it."""
    seen, true = (one.reset(seed=0)[0] for one in (domain, without))
    appended = domain.control.memory * domain.model.nu
    noisy = int(np.count_nonzero(seen != true))
    yield Check.close("noisy entries of the observation", true.size - appended, noisy)
    same = np.array_equal(domain.data.qpos, without.data.qpos)
    yield Check.holds("the state itself has none", same, "same states" if same else "other states")
    drawn = np.array([domain.through_noise(np.zeros(8)) for _ in range(DRAWS)]) / shift.std
    yield from _white(drawn, deviation=1.0)


def _white(drawn: Array, *, deviation: float) -> Iterator[Check]:
    """Check that columns have no mean, the stated deviation, and nothing to do with each other or their own past."""
    error = ERRORS / np.sqrt(len(drawn))
    mean, spread = float(np.abs(drawn.mean(0)).max()), drawn.std(0) / deviation
    yield Check.holds("the mean is 0", mean < error * deviation, f"{mean:.3g}")
    off = float(np.abs(spread - 1.0).max())
    yield Check.holds("the standard deviation is as stated", off < error, f"off by a share of {off:.3g}")
    if drawn.std(0).min() == 0.0:
        return  # no draws, as said above
    pairs = np.corrcoef(np.concatenate([drawn[1:], drawn[:-1]], axis=1).T)
    linked = float(np.abs(pairs - np.eye(len(pairs))).max())
    yield Check.holds("draws are independent", linked < 1.2 * error, f"correlations up to {linked:.3g}")


def _reward(shift: RewardShift, domain: Domain, without: Domain) -> Iterator[Check]:
    """The reward of equal transitions: at rest, at speed, and around a threshold."""
    distance = shift.distance if isinstance(shift, SparseReward) else 1.0
    weight = float(domain._forward_reward_weight)  # type: ignore[attr-defined]  # the robot runs
    differs = False
    for position, speed in ((0.0, -2.0), (0.5 * distance, 0.5), (-1.5 * distance, 0.5), (distance + 0.5, 4.0)):
        yield from (check for check in _one_reward(shift, domain, without, position, speed, weight=weight))
        differs |= abs(_step_at(domain, position, speed)[0] - _step_at(without, position, speed)[0]) > 1e-9
    if isinstance(shift, SparseReward):
        for near in (-0.05, 0.05):
            yield from _one_reward(shift, domain, without, distance + near, 0.0, weight=weight)
    yield Check.holds("some transition is rewarded otherwise", differs, "some" if differs else "none")


def _one_reward(
    shift: RewardShift, domain: Domain, without: Domain, position: float, speed: float, *, weight: float
) -> Iterator[Check]:
    """Check one transition's reward and its terms."""
    own, _ = _step_at(without, position, speed)
    reward, info = _step_at(domain, position, speed)
    expected = _expected_reward(shift, own, info, weight=weight)
    what = f"reward of a step to {info['x_position']:.3g} m at {info['x_velocity']:.3g} m/s"
    yield Check.close(what, expected, reward, absolute=1e-5)  # stock costs are in single precision
    terms = sum(float(value) for key, value in info.items() if key.startswith("reward_"))
    yield Check.close(f"sum of its terms, {what}", reward, terms, absolute=1e-5)


def _step_at(domain: Domain, position: float, speed: float) -> tuple[float, dict[str, Any]]:
    """Return the reward and the info of a step from a given place at a given speed."""
    domain.reset(seed=1)
    qpos, qvel = domain.data.qpos.copy(), domain.data.qvel.copy()
    qpos[0], qvel[0] = position, speed
    domain.set_state(qpos, qvel)
    _, reward, _, _, info = domain.step(0.1 * highest_action(domain))
    return float(reward), info


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
