"""Every estimator of reward transfer across robots: all that the source judges is mapped to it."""

from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from tests.wrappers.test_policies import policy
from tests.wrappers.transitions import some_transitions
from transreward_envs import get_pair
from transreward_envs.correspondence import map_of_pair
from transreward_wrappers.correspondence import in_source
from transreward_wrappers.policies import load_policy
from transreward_wrappers.reward_transfer import RewardTransfer
from transreward_wrappers.reward_transfer.settings import OF_POLICY, EstimatorName

TINY = {"fit_budget": 60, "fit_updates": 2, "value_updates": 2, "hidden": 8, "horizon": 10}
FITTED: tuple[EstimatorName, ...] = ("reward", "optimal", "potential")


def of_pair(pair: str, **settings: object) -> RewardTransfer:
    """Return the method, fitted, as a pair's training id has it."""
    method, source, target = RewardTransfer(**{**TINY, **settings}), *map(get_pair(pair).make, ("source", "target"))
    method.check(get_pair(pair))
    method.bind(target.observation_space.shape[0], target.action_space.shape[0])
    method.fit(source, target)
    return method


@pytest.mark.parametrize("estimator", FITTED)
def test_an_estimator_judges_the_mapped_transition(estimator: EstimatorName) -> None:
    across = of_pair("Walker2d-from-Hopper", estimator=estimator, lam=1.0)
    plain = of_pair("Hopper-gravity-2.0", estimator=estimator, lam=1.0)
    batch = some_transitions(20, observation_size=17, action_size=6)
    mapped = in_source(batch, map_of_pair(get_pair("Walker2d-from-Hopper")))
    assert np.array_equal(across(batch), plain(mapped))
    for method, seen in ((across, batch), (plain, mapped)):
        method.update(seen)
    assert across.diagnostics() == plain.diagnostics()


def test_closeness_is_that_of_the_right_leg_to_the_hoppers_expert() -> None:
    method = of_pair("Walker2d-from-Hopper", estimator="policy", lam=1.0, lam_mode="constant")
    batch = some_transitions(20, observation_size=17, action_size=6)
    mapped = in_source(batch, map_of_pair(get_pair("Walker2d-from-Hopper")))
    own = load_policy("Hopper")(mapped.observation)
    expected = -np.square(np.clip(batch.action[:, :3], -1.0, 1.0) - own).mean(axis=1)
    assert np.allclose(method(batch), expected, atol=1e-6)


def test_actions_that_the_target_says_nothing_about_do_not_count(tmp_path: Path) -> None:
    walker = policy(observations=17, actions=6)
    path = tmp_path / "walker.safetensors"
    walker.save(path)
    settings = {"estimator": "policy", "lam": 1.0, "lam_mode": "constant", "source_policy": str(path)}
    method = of_pair("Hopper-from-Walker2d", **settings)
    batch = some_transitions(20, observation_size=11, action_size=3)
    mapped = in_source(batch, map_of_pair(get_pair("Hopper-from-Walker2d")))
    own = walker.as_saved()(mapped.observation)[:, :3]
    assert np.allclose(method(batch), -np.square(np.clip(batch.action, -1.0, 1.0) - own).mean(axis=1), atol=1e-6)
    with pytest.raises(ValueError, match="none of the target's is one of the source's. Name joints that both"):
        of_pair("Hopper-from-Walker2d", **settings, correspondence={"joints": {"rooty": "rooty"}})


@pytest.mark.parametrize("estimator", [*FITTED, *OF_POLICY])
def test_every_estimator_has_lanes_across_robots(estimator: EstimatorName) -> None:
    lanes = gym.make_vec("TransReward/Walker2d-from-Hopper-reward-transfer-v0", num_envs=2, estimator=estimator, **TINY)
    lanes.reset(seed=0)
    for _ in range(5):
        *_, infos = lanes.step(lanes.action_space.sample())
    assert np.isfinite(infos["reward/compensation"]).all()
