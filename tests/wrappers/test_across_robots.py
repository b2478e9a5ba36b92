"""Reward transfer across robots: the source judges what the target's robot does, through a correspondence."""

import copy
import json
import pickle
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env
from stable_baselines3 import PPO

from tests.wrappers.transitions import some_transitions
from transreward_envs import get_pair, get_suite, make_pair
from transreward_envs.correspondence import Correspondence, map_of_pair
from transreward_envs.methods import training_methods
from transreward_wrappers import Transitions
from transreward_wrappers.correspondence import in_source
from transreward_wrappers.reward_transfer import RewardTransfer

TINY = {"fit_budget": 40, "fit_updates": 2, "hidden": 8, "horizon": 10}
WALKER = "TransReward/Walker2d-from-Hopper-reward-transfer-v0"
LEFT = {"thigh_left_joint": "thigh_joint", "leg_left_joint": "leg_joint", "foot_left_joint": "foot_joint"}
CROSS = get_suite("cross")


def of_pair(pair: str = "Walker2d-from-Hopper", **settings: object) -> RewardTransfer:
    """Return the method as a pair's training id has it before it is fitted."""
    method, target = RewardTransfer(**{**TINY, **settings}), get_pair(pair).make("target")
    method.check(get_pair(pair))
    method.bind(target.observation_space.shape[0], target.action_space.shape[0])
    return method


def some_steps(env: gym.Env, count: int) -> Transitions:
    """Return transitions of random actions."""
    env.action_space.seed(9)
    rows, (observation, _) = [], env.reset(seed=9)
    for _ in range(count):
        action = env.action_space.sample()
        following, reward, terminated, truncated, _ = env.step(action)
        rows.append((observation, action.astype(np.float64), float(reward), following, terminated, 1))
        observation = env.reset()[0] if terminated or truncated else following
    columns = (np.array(column) for column in zip(*rows, strict=True))
    return Transitions(**dict(zip(Transitions.__slots__, columns, strict=True)))


@pytest.mark.filterwarnings("ignore:.*Box observation space (min|max)imum value is.*")
@pytest.mark.filterwarnings("ignore:.*is different from the unwrapped version.*")
@pytest.mark.parametrize("pair", CROSS, ids=[pair.name for pair in CROSS])
def test_every_cross_pair_trains_as_one_environment_and_in_lanes(pair) -> None:
    assert "reward-transfer" in training_methods(pair)
    check_env(gym.make(pair.id("reward-transfer"), **TINY), skip_render_check=True, skip_close_check=True)
    env = gym.make(pair.id("reward-transfer"), **TINY)
    lanes = gym.make_vec(pair.id("reward-transfer"), num_envs=2, **TINY)
    first = env.reset(seed=5)[0], lanes.reset(seed=5)[0]
    assert np.array_equal(first[0], first[1][0])
    lanes.action_space.seed(0)
    for _ in range(5):
        actions = lanes.action_space.sample()
        observation, reward, *_, info = env.step(actions[0])
        observations, rewards, *_, infos = lanes.step(actions)
        assert np.array_equal(observation, observations[0])
        assert reward == pytest.approx(rewards[0], abs=1e-5)
        assert reward == info["reward/env"] + info["reward/compensation"]
        assert info["domain"] == infos["domain"][0] == 1
    assert env.get_wrapper_attr("steps")() == {"source": 0, "target": 5}


def test_the_source_judges_the_mapped_transition_and_nothing_else() -> None:
    method = of_pair(lam=1.0)
    batch = some_transitions(20, observation_size=17, action_size=6)
    mapped = in_source(batch, map_of_pair(get_pair("Walker2d-from-Hopper")))
    assert (mapped.observation.shape, mapped.action.shape) == ((20, 11), (20, 3))
    plain = RewardTransfer(lam=1.0, **TINY)
    plain.bind(11, 3)
    assert np.array_equal(method(batch), plain(mapped))
    assert np.allclose(method.source_reward(batch), plain.source_reward(mapped), atol=1e-12)
    other_left_leg = replace(batch, observation=batch.observation.copy(), action=batch.action.copy())
    other_left_leg.observation[:, [5, 6, 7, 14, 15, 16]] += 1.0
    other_left_leg.action[:, 3:] += 1.0
    assert np.array_equal(method(other_left_leg), method(batch))
    left = of_pair(lam=1.0, correspondence={"joints": {"rooty": "rooty", **LEFT}})
    assert not np.array_equal(left(other_left_leg), left(batch))


def test_a_mapped_batch_keeps_reward_ending_and_domain_and_maps_both_observations() -> None:
    batch = some_transitions(6, observation_size=17, action_size=6)
    mapped = in_source(batch, map_of_pair(get_pair("Walker2d-from-Hopper")))
    for name in ("reward", "terminated", "domain"):
        assert np.array_equal(getattr(mapped, name), getattr(batch, name))
    assert np.array_equal(mapped.observation, batch.observation[:, [0, 1, 2, 3, 4, 8, 9, 10, 11, 12, 13]])
    assert np.array_equal(mapped.next_observation, batch.next_observation[:, [0, 1, 2, 3, 4, 8, 9, 10, 11, 12, 13]])
    assert in_source(batch, None) is batch


def test_one_robot_by_joint_names_is_as_without_a_correspondence() -> None:
    batch = some_transitions(6, observation_size=105, action_size=8)
    assert np.array_equal(of_pair("Ant-lame-leg", correspondence="joints")(batch), of_pair("Ant-lame-leg")(batch))


def test_a_model_of_walkers_foretells_the_rewards_of_hoppers() -> None:
    method = of_pair("Hopper-from-Walker2d", fit_budget=4_000, fit_updates=400, hidden=32, random_share=1.0)
    pair = get_pair("Hopper-from-Walker2d")
    source, target = pair.make("source"), pair.make("target")
    method.fit(source, target)
    hoppers = some_steps(target, 500)
    guess = method.source_reward(hoppers)
    assert np.corrcoef(guess, hoppers.reward)[0, 1] > 0.5


def test_a_fit_is_shared_by_all_targets_of_a_source_and_by_all_correspondences() -> None:
    across, plain = get_pair("Walker2d-from-Hopper"), get_pair("Hopper-gravity-2.0")
    key = RewardTransfer().fit_key(plain)
    assert RewardTransfer().fit_key(across) == key
    assert RewardTransfer(correspondence="joints").fit_key(across) == key
    assert RewardTransfer().fit_key(get_pair("Hopper-from-Walker2d")) != key
    gentle = make_pair("Hopper", {"kind": "gravity", "scale": 2.0}, settings={"ctrl_cost_weight": 0.1}, validate=False)
    assert RewardTransfer().fit_key(gentle) != key


def test_a_correspondence_of_ones_own_survives_specs_json_and_copies() -> None:
    mine = Correspondence(joints={"rooty": "rooty", **LEFT}, scales={"foot_left_joint": -1.0}).to_json()
    env = gym.make(WALKER, correspondence=mine, **TINY)
    default = gym.make(WALKER, **TINY)
    others = [gym.make(env.spec), gym.make(EnvSpec.from_json(env.spec.to_json()))]
    others += [pickle.loads(pickle.dumps(env)), copy.deepcopy(env)]
    paid = [_first_rewards(one) for one in (env, *others)]
    assert all(np.array_equal(one, paid[0]) for one in paid)
    assert not np.array_equal(paid[0], _first_rewards(default))
    assert json.loads(env.spec.to_json())["kwargs"]["correspondence"] == mine
    assert env.get_wrapper_attr("compensation").settings()["correspondence"] == mine


def _first_rewards(env: gym.Env) -> np.ndarray:
    env.reset(seed=1)
    generator = np.random.default_rng(0)
    return np.array([env.step(generator.uniform(-1, 1, 6).astype(np.float32))[1] for _ in range(8)])


def test_what_was_fitted_is_kept_in_the_sources_sizes(tmp_path: Path) -> None:
    method, again = of_pair(), of_pair(seed=4)
    method.save(tmp_path / "fit.safetensors")
    again.load(tmp_path / "fit.safetensors")
    batch = some_transitions(6, observation_size=17, action_size=6)
    assert np.array_equal(again(batch), method(batch))
    of_hopper = RewardTransfer(**TINY)
    of_hopper.bind(11, 3)
    of_hopper.load(tmp_path / "fit.safetensors")


def test_ppo_trains_a_walker_under_a_hoppers_reward() -> None:
    env = gym.make(WALKER, **TINY)
    agent = PPO("MlpPolicy", env, n_steps=64, batch_size=32, n_epochs=2, seed=0, device="cpu")
    agent.learn(128)
    assert env.get_wrapper_attr("steps")()["target"] == 128
    assert env.get_wrapper_attr("diagnostics")["spread"] > 0.0


def test_a_bad_correspondence_is_refused_before_any_pair_is_known() -> None:
    with pytest.raises(ValueError, match="Unknown correspondence 'names'"):
        RewardTransfer(correspondence="names")
    with pytest.raises(TypeError, match="A correspondence is given as JSON"):
        RewardTransfer(correspondence={})


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ("joint", ValueError, "Unknown correspondence 'joint'. Did you mean 'joints'"),
        (["joints"], TypeError, "`correspondence` is 'joints', the dict that"),
        ({"joints": {"leg": "leg_joint"}}, ValueError, "Unknown joint of Walker2d 'leg'. Did you mean 'leg_joint'"),
        (
            {"joints": {"leg_joint": "leg_joint"}, "fills": {"rootz": np.nan}},
            ValueError,
            "must be finite; got nan",
        ),
    ],
)
@pytest.mark.parametrize("lanes", [False, True])
def test_a_bad_correspondence_is_refused_when_the_id_is_made(
    given: object, error: type[Exception], message: str, lanes: bool
) -> None:
    with pytest.raises(error, match=message):
        gym.make_vec(WALKER, num_envs=2, correspondence=given) if lanes else gym.make(WALKER, correspondence=given)
