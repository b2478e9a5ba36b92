"""What varies survives specs, JSON, pickle and copies."""

import copy
import json
import pickle

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env
from numpy.typing import NDArray

from tests.envs.test_variation import MASS, make
from transreward_envs.shifts import GravityShift, MassShift
from transreward_envs.variation import ShiftChange


def five_steps(env: gym.Env) -> NDArray[np.float64]:
    """Return the observations of a seeded reset and five equal actions."""
    observation, _ = env.reset(seed=2)
    action = np.full(env.action_space.shape, 0.5, dtype=np.float32)
    return np.array([observation, *(env.step(action)[0] for _ in range(5))])


@pytest.mark.filterwarnings("ignore:.*Box observation space (min|max)imum value is.*")
def test_what_varies_survives_specs_json_pickle_and_the_checker() -> None:
    env = make(
        shift_range=[MASS], shift_change=[{"step": 3, "shift": {"kind": "gravity", "scale": 2.0}}], observe_shift=True
    )
    copies = [gym.make(EnvSpec.from_json(env.spec.to_json())), pickle.loads(pickle.dumps(env)), copy.deepcopy(env)]
    expected = five_steps(env)
    for other in copies:
        assert np.array_equal(five_steps(other), expected)
        assert other.unwrapped.model.opt.gravity[2] == pytest.approx(2 * -9.81)
    assert json.dumps(env.spec.kwargs)
    check_env(make(shift_range=[MASS], observe_shift=True).unwrapped, skip_render_check=True)


def test_everything_that_may_be_given_as_values_stands_in_the_spec_as_json() -> None:
    heavy = MassShift(scale=2.0)
    env = make(
        shift_range={"kind": "gravity", "scale": np.array([0.5, 2.0], dtype=np.float32).tolist()},
        shift_change=[ShiftChange(step=3, shifts=(heavy,))],
        shift=GravityShift(scale=1.0),
    )
    again = gym.make(EnvSpec.from_json(env.spec.to_json()))
    assert env.spec.kwargs["shift_change"] == [{"step": 3, "shift": [{"kind": "mass", "scale": 2.0}]}]
    light = again.unwrapped.model.body_mass.copy()
    assert np.array_equal(five_steps(again), five_steps(env))
    for one in (env, again):
        assert one.unwrapped.model.body_mass == pytest.approx(2.0 * light)
    numbers = make(shift_range={"kind": "mass", "scale": (np.float32(0.5), np.float64(2.0))})
    assert json.loads(numbers.spec.to_json())
