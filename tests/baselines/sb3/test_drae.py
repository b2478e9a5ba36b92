"""Whole episodes that are paid by DRaE, under agents of Stable-Baselines3."""

import pickle
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3 import DDPG, PPO, SAC, TD3
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.vec_env import VecNormalize

from tests.baselines.drifting import PAIR, drifting_env
from transreward_baselines.sb3 import DRaEReplayBuffer, drae_replay, make_vec
from transreward_baselines.sb3.compensation import LiveCompensation
from transreward_baselines.sb3.policy import FollowedPolicy
from transreward_envs.training import join_environments
from transreward_wrappers.drae import DRaE

SMALL = {"buffer_size": 2_000, "batch_size": 16, "learning_starts": 60, "train_freq": 4, "seed": 0, "device": "cpu"}
DRAE = {
    "warmup": 60,
    "fit_budget": 10,
    "update_every": 16,
    "batch_size": 16,
    "hidden": 8,
    "target_ratio": 0.5,
    "time_limit": 9,
}
LANES = 2


def environment(form: str = "lanes") -> Any:
    if form == "single":
        return gym.make(PAIR.id("drae"), **DRAE)
    if form == "lanes":
        return make_vec(PAIR.id("drae"), LANES, seed=0, **DRAE)
    envs = make_vec_env(PAIR.id("drae"), LANES, seed=0, env_kwargs=DRAE)
    join_environments(envs.envs)
    return envs


def make(env: Any, algorithm: type[OffPolicyAlgorithm] = SAC, **settings: Any) -> OffPolicyAlgorithm:
    replay = {name: settings.pop(name) for name in ("policy_clip", "deviation", "relabel_every") if name in settings}
    arguments = {**SMALL, **drae_replay(env, **replay), "policy_kwargs": {"net_arch": [8]}, **settings}
    agent = algorithm("MlpPolicy", env, **arguments)
    agent.replay_buffer.follow(agent)
    return agent


def drae_of(agent: OffPolicyAlgorithm) -> DRaE:
    return agent.replay_buffer.compensation.compensation


def episodes(buffer: DRaEReplayBuffer) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return rows and lanes of each episode that is over, found step by step."""
    first = buffer.pos if buffer.full else 0
    found = []
    for lane in range(buffer.n_envs):
        rows: list[int] = []
        for step in range(buffer.size()):
            row = (first + step) % buffer.buffer_size
            if not buffer.failed[row, lane]:
                rows.append(row)
            if buffer.dones[row, lane]:
                found.append((np.array(rows), np.full(len(rows), lane)))
                rows = []
    return [one for one in found if len(one[0])]


@pytest.mark.parametrize(
    ("form", "algorithm", "size"),
    [("lanes", SAC, 2_000), ("lanes", SAC, 75), ("lanes", TD3, 2_000), ("dummy", SAC, 2_000), ("single", DDPG, 2_000)],
)
def test_episodes_that_are_over_are_paid_by_all_that_followed(
    form: str, algorithm: type[OffPolicyAlgorithm], size: int
) -> None:
    agent = make(environment(form), algorithm, buffer_size=size, policy_clip=1.5)
    agent.learn(220)
    buffer, drae = agent.replay_buffer, drae_of(agent)
    assert drae.ready
    assert buffer.full == (size == 75)
    assert buffer.relabelled.any()
    found = episodes(buffer)
    assert buffer.relabel() == sum(len(rows) for rows, _ in found) > 20
    rest = np.ones(buffer.rewards.shape, dtype=bool)
    for where in found:
        made = buffer._transitions(where)
        log_pi = buffer.policy.of_policy(buffer.observations[where], buffer.actions[where])
        expected = drae.trajectory_added(
            made,
            np.arange(len(made)) == len(made) - 1,
            log_policy_ratio=log_pi - buffer.log_densities[where],
            clip=1.5,
        )
        np.testing.assert_allclose(buffer.added[where], expected, atol=1e-4)
        paid = buffer._drawn(*where, None).rewards.numpy()[:, 0]
        np.testing.assert_allclose(paid, made.reward + expected, atol=1e-4)
        rest[where] = False
    rows, lanes = np.nonzero(rest[: buffer.size()])
    assert not buffer.relabelled[rows, lanes].any()
    made = buffer._transitions((rows, lanes))
    paid = buffer._drawn(rows, lanes, None).rewards.numpy()[:, 0]
    np.testing.assert_allclose(paid, made.reward + drae(made), atol=1e-5)
    assert (np.abs(buffer.added) > 1e-4).any()


def test_an_episode_is_relabelled_when_it_ends() -> None:
    agent = make(environment(), learning_starts=10_000)
    agent.learn(200)
    buffer, drae = agent.replay_buffer, drae_of(agent)
    assert drae.ready
    before = buffer.relabelled.copy()
    late = [where for where in episodes(buffer) if where[0][0] > 60]
    assert len(late) >= 3
    assert all(before[where].all() for where in late)
    early = next(where for where in episodes(buffer) if where[0][-1] < 20)
    assert not before[early].any()
    buffer.relabel()
    assert buffer.relabelled[early].all()


def test_all_episodes_are_relabelled_anew_every_so_many_steps() -> None:
    agent = make(environment(), learning_starts=10_000, relabel_every=100)
    agent.learn(400)
    buffer = agent.replay_buffer
    early = next(where for where in episodes(buffer) if where[0][-1] < 20)
    assert buffer.relabelled[early].all()
    buffer.added[early] = 77.0
    agent.learn(100, reset_num_timesteps=False)
    assert np.abs(buffer.added[early]).max() < 77.0


@pytest.mark.parametrize("algorithm", [SAC, TD3])
def test_densities_are_uniform_at_first_and_then_those_of_the_policy(algorithm: type[OffPolicyAlgorithm]) -> None:
    agent = make(environment(), algorithm, learning_starts=100, gradient_steps=0)
    agent.learn(200)
    buffer = agent.replay_buffer
    assert np.array_equal(buffer.log_densities[:50], np.full((50, LANES), -np.log(2.0)))
    rows, lanes = np.divmod(np.arange(50 * LANES, 100 * LANES), LANES)
    now = buffer.policy.of_policy(buffer.observations[rows, lanes], buffer.actions[rows, lanes])
    np.testing.assert_allclose(buffer.log_densities[rows, lanes], now, atol=1e-5)
    assert np.ptp(now) > 1e-3 or algorithm is TD3


def test_the_density_of_sac_is_that_of_its_own_draws() -> None:
    agent = make(environment())
    observations = np.random.default_rng(0).standard_normal((50, 4))
    with torch.no_grad():
        actions, log_densities = agent.actor.action_log_prob(torch.from_numpy(observations).float())
    found = agent.replay_buffer.policy.of_policy(observations, actions.numpy())
    np.testing.assert_allclose(found, log_densities.numpy(), atol=1e-3)


def test_the_density_of_td3_is_a_gaussian_around_its_action() -> None:
    agent = make(environment(), TD3, deviation=0.3)
    generator = np.random.default_rng(0)
    observations, actions = generator.standard_normal((50, 4)), generator.uniform(-1.0, 1.0, (50, 1))
    with torch.no_grad():
        means = agent.actor(torch.from_numpy(observations).float()).numpy()
    expected = -0.5 * ((actions - means)[:, 0] / 0.3) ** 2 - np.log(0.3 * np.sqrt(2.0 * np.pi))
    found = agent.replay_buffer.policy.of_policy(observations, actions)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_policy_of_normalised_observations_is_shown_them() -> None:
    env = VecNormalize(environment())
    agent = make(env)
    agent.learn(150)
    observations, actions = 3.0 * np.ones((5, 4)), np.linspace(-0.9, 0.9, 5)[:, None]
    agent._vec_normalize_env = None
    raw = agent.replay_buffer.policy.of_policy(env.normalize_obs(observations), actions)
    agent._vec_normalize_env = env
    np.testing.assert_allclose(agent.replay_buffer.policy.of_policy(observations, actions), raw, atol=1e-6)


def test_an_episode_whose_physics_fails_ends_before_it() -> None:
    env = environment()
    agent = make(env, learning_starts=10_000, train_freq=1)
    agent.learn(202)
    env.envs.unwrapped._engine.qvel[1] = 1e12
    agent.learn(LANES, reset_num_timesteps=False)
    buffer = agent.replay_buffer
    assert buffer.failed[101, 1]
    assert not buffer.relabelled[101, 1]
    assert buffer.ends[100, 1]
    assert buffer.relabelled[100, 1]
    buffer.relabel()
    assert not buffer.relabelled[101, 1]


def test_an_episode_that_a_reset_leaves_is_truncated_there() -> None:
    agent = make(environment(), learning_starts=10_000, train_freq=1)
    for _ in range(2):
        agent.learn(202)  # the second begins with a reset, in the middle of an episode
    buffer = agent.replay_buffer
    left = buffer.dones[100] == 0.0
    assert left.any()
    assert buffer.ends[100].all()
    assert buffer.relabelled[100].all()
    rest = np.arange(buffer.size()) != 100
    assert np.array_equal(buffer.ends[: buffer.size()][rest], buffer.dones[: buffer.size()][rest].astype(bool))


def test_agent_and_buffer_are_kept_without_environment_and_policy(tmp_path: Path) -> None:
    env = environment()
    agent = make(env)
    agent.learn(200)
    agent.save(tmp_path / "agent")
    agent.save_replay_buffer(tmp_path / "buffer.pkl")
    again = SAC.load(tmp_path / "agent", env=env, device="cpu")
    again.load_replay_buffer(tmp_path / "buffer.pkl")
    again.replay_buffer.attach(env)
    with pytest.raises(RuntimeError, match=r"no agent is followed. Call `agent.replay_buffer.follow\(agent\)`"):
        again.learn(20, reset_num_timesteps=False)
    again.replay_buffer.follow(again)
    again.learn(60, reset_num_timesteps=False)
    assert np.array_equal(again.replay_buffer.log_densities[:60], agent.replay_buffer.log_densities[:60])
    copied = pickle.loads(pickle.dumps(agent.replay_buffer))
    with pytest.raises(RuntimeError, match="loaded or copied has no compensation"):
        copied.relabel()


def test_what_is_not_understood_is_refused() -> None:
    env = environment()
    with pytest.raises(TypeError, match="the compensation here is Drifting. Make the environment by a `-drae-v0` id"):
        drae_replay(drifting_env())
    with pytest.raises(RuntimeError, match="no agent is followed"):
        SAC("MlpPolicy", env, **{**SMALL, **drae_replay(env)}).learn(20)
    agent = make(env)
    with pytest.raises(TypeError, match="Policies of SAC, TD3 and DDPG are understood; got PPO"):
        agent.replay_buffer.follow(PPO("MlpPolicy", env, device="cpu"))
    with pytest.raises(TypeError, match="make the agent with `use_sde=False`"):
        make(env, use_sde=True)
    with pytest.raises(ValueError, match="`deviation` must be finite and > 0; got 0.0"):
        FollowedPolicy(None, deviation=0.0)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"policy_clip": 0.0}, ValueError, "`policy_clip` must be finite and > 0; got 0.0"),
        ({"relabel_every": 0}, ValueError, "`relabel_every` must be an integer >= 1; got 0"),
        ({"optimize_memory_usage": True}, ValueError, "`optimize_memory_usage` must be False"),
        ({"n_steps": 3}, TypeError, "it takes no n_steps"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict, error: type[Exception], message: str) -> None:
    env = environment("single")
    with pytest.raises(error, match=message):
        DRaEReplayBuffer(10, env.observation_space, env.action_space, compensation=LiveCompensation(env), **settings)
