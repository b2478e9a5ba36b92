"""Verification of what no model shows: lies about control, observation and reward are found."""

import numpy as np
import pytest
from gymnasium.envs.mujoco.mujoco_env import MujocoEnv

from tests.envs.test_verification import found_in
from transreward_envs import make_pair
from transreward_envs.robots.control import ControlPath
from transreward_envs.robots.domain import Domain
from transreward_envs.shifts import (
    ActionDelay,
    ActionNoise,
    ActionRepeat,
    DirectionShift,
    MassShift,
    ObservationNoise,
    Shift,
    SparseReward,
)


@pytest.mark.parametrize(
    ("shift", "attribute", "value", "found"),
    [
        (ActionDelay(steps=2), "delay", 1, "what reaches the actuators by an action, 2 steps late"),
        (ActionRepeat(times=3), "repeat", 2, "time that 3 control steps last"),
        (ActionNoise(half_width=0.2), "widths", np.full(3, 0.1), "draws lie within the width, and nearly reach it"),
        (ActionNoise(half_width=0.2), "widths", np.full(3, 0.3), "draws lie within the width, and nearly reach it"),
    ],
)
def test_a_control_path_that_does_something_else_is_found(
    monkeypatch: pytest.MonkeyPatch, shift: Shift, attribute: str, value: object, found: str
) -> None:
    pair = make_pair("Hopper", shift, validate=False)
    init = ControlPath.__init__

    def lying(self: ControlPath, shifts: object, **kwargs: object) -> None:
        init(self, shifts, **kwargs)
        if shifts:
            setattr(self, attribute, value)

    monkeypatch.setattr(ControlPath, "__init__", lying)
    assert found in found_in(pair)


def test_noise_that_is_the_same_in_every_dimension_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def same(self: ControlPath, action: np.ndarray) -> np.ndarray:
        return np.array(action, dtype=float) + self._noise.uniform(-1.0, 1.0) * self.widths

    pair = make_pair("Hopper", ActionNoise(half_width=0.2), validate=False)
    monkeypatch.setattr(ControlPath, "control", same)
    assert "draws are independent" in found_in(pair)


def test_noise_that_never_reaches_the_simulator_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = make_pair("Hopper", [ActionNoise(half_width=0.2), MassShift(scale=2.0)], validate=False)
    monkeypatch.setattr(Domain, "do_simulation", lambda self, ctrl, frames: MujocoEnv.do_simulation(self, ctrl, frames))
    assert "it reaches the actuators" in found_in(pair)


def test_a_delay_that_weakens_actions_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    control = ControlPath.control
    monkeypatch.setattr(ControlPath, "control", lambda self, action: 0.5 * control(self, action))
    assert "what reaches the actuators" in found_in(make_pair("Hopper", ActionDelay(steps=2), validate=False))


def test_a_repeat_that_earns_less_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    repeat = Domain._repeat

    def less(self: Domain, action: np.ndarray) -> tuple:
        observation, reward, *rest = repeat(self, action)
        return observation, reward / self.control.repeat, *rest

    monkeypatch.setattr(Domain, "_repeat", less)
    assert "reward of 3 control steps" in found_in(make_pair("Hopper", ActionRepeat(times=3), validate=False))


def test_a_reward_that_is_not_the_stated_one_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = make_pair("Hopper", DirectionShift(heading="backward"), validate=False)
    monkeypatch.setattr(DirectionShift, "reward", lambda self, terms, **kwargs: (sum(terms.values()), terms))
    assert "reward of a step" in found_in(pair)


@pytest.mark.parametrize("threshold", [lambda x, d: x >= 1.2 * d, lambda x, d: abs(x) >= d])
def test_another_threshold_is_found(monkeypatch: pytest.MonkeyPatch, threshold) -> None:
    def lying(self: SparseReward, terms: dict, *, position: float, **kwargs: float) -> tuple[float, dict]:
        reward = float(threshold(position, self.distance))
        return reward, {**dict.fromkeys(terms, 0.0), "reward_forward": reward}

    pair = make_pair("HalfCheetah", SparseReward(distance=2.0), validate=False)
    monkeypatch.setattr(SparseReward, "reward", lying)
    assert "reward of a step" in found_in(pair)


def test_a_reward_shift_that_a_weight_of_zero_silences_is_found() -> None:
    with pytest.raises(ValueError, match="some transition is rewarded otherwise"):
        make_pair("HalfCheetah", {"kind": "velocity", "goal": 2.0}, settings={"forward_reward_weight": 0.0})


@pytest.mark.parametrize(
    ("lie", "found"),
    [
        (lambda self, seen: seen, "noisy entries of the observation"),
        (lambda self, seen: seen + self._streams.observation.normal(5.0, 0.2, seen.shape), "mean"),
        (lambda self, seen: seen + self._streams.observation.normal(0.0, 0.2), "independent"),
        (
            lambda self, seen: seen + self._streams.observation.normal(0.0, 0.3, seen.shape),
            "stated",
        ),
    ],
)
def test_observation_noise_of_another_law_is_found(monkeypatch: pytest.MonkeyPatch, lie, found: str) -> None:
    pair = make_pair("Hopper", ObservationNoise(std=0.2), validate=False)
    monkeypatch.setattr(Domain, "through_noise", lie)
    assert found in found_in(pair)
