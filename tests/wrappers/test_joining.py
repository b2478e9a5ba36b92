"""Environments of one process that learn together: who is joined, and who is refused."""

import gymnasium as gym
import pytest
from stable_baselines3.common.vec_env import DummyVecEnv

from transreward_envs.training import join_environments

MIXTURE = "TransReward/HalfCheetah-broken-bthigh-mixture-v0"
DARC = "TransReward/HalfCheetah-broken-bthigh-darc-v0"


def test_environments_that_are_joined_learn_together() -> None:
    settings = {"time_limit": 10, "warmup": 20, "update_every": 10, "batch_size": 8, "target_ratio": 0.5}
    envs = [gym.make(DARC, **settings) for _ in range(2)]
    join_environments(envs)
    assert envs[0].get_wrapper_attr("compensation") is envs[1].get_wrapper_attr("compensation")
    for env in envs:
        env.reset(seed=0)
        for _ in range(40):
            if any(env.step(env.action_space.sample())[2:4]):
                env.reset()
    assert sum(envs[0].get_wrapper_attr("steps")().values()) == 80


def test_a_vector_of_environments_is_joined_and_one_of_processes_is_refused() -> None:
    ids = [lambda: gym.make(DARC)] * 2
    for envs in (gym.vector.SyncVectorEnv(ids), DummyVecEnv(ids)):
        join_environments(envs)
        first, second = (env.get_wrapper_attr("compensation") for env in envs.envs)
        assert first is second
        join_environments(envs)
        assert envs.envs[0].get_wrapper_attr("ledger").lanes == 2, "who is joined already is not counted again"
    wrapped = gym.wrappers.vector.RecordEpisodeStatistics(gym.vector.SyncVectorEnv(ids))
    join_environments(wrapped)
    assert wrapped.unwrapped.envs[0].get_wrapper_attr("ledger").lanes == 2
    with pytest.raises(TypeError, match="got CompensateLanes. Lanes of `make_vec` share already"):
        join_environments(gym.make_vec(DARC, num_envs=2))
    with pytest.raises(ValueError, match="At least one environment must be given"):
        join_environments([])
    workers = gym.vector.AsyncVectorEnv([lambda: gym.make("TransReward/Hopper-v0")] * 2)
    with pytest.raises(TypeError, match=r"Environments of one process are joined.*got AsyncVectorEnv.*shared_state"):
        join_environments(workers)
    workers.close()


def test_environments_that_differ_or_have_started_are_not_joined() -> None:
    with pytest.raises(ValueError, match="have the same pair, compensation and settings"):
        join_environments([gym.make(DARC, eta=0.1), gym.make(DARC, eta=5.0)])
    started = gym.make(DARC)
    started.reset(seed=0)
    with pytest.raises(RuntimeError, match="joined before their first reset"):
        join_environments([gym.make(DARC), started])


def test_who_cannot_be_joined_is_left_as_it_was() -> None:
    first, started = gym.make(DARC), gym.make(DARC)
    started.reset(seed=0)
    with pytest.raises(RuntimeError, match="joined before their first reset"):
        join_environments([first, started])
    assert first.get_wrapper_attr("compensation") is not started.get_wrapper_attr("compensation")
    for settings in ({"target_budget": 10}, {"target_ratio": 0.9}, {"time_limit": 7}):
        with pytest.raises(ValueError, match="the same pair, schedule, time limit and target budget; got"):
            join_environments([gym.make(DARC, **settings), gym.make(DARC)])
    mixture = gym.make(MIXTURE)
    with pytest.raises(ValueError, match="of one method; these are wrapped by Compensate and DomainSchedule"):
        join_environments([mixture, gym.make(DARC)])
    others = [gym.make(DARC) for _ in range(2)]
    join_environments([gym.make("TransReward/HalfCheetah-v0"), *others])
    assert others[0].get_wrapper_attr("compensation") is others[1].get_wrapper_attr("compensation")


def test_environments_of_different_pairs_are_not_joined() -> None:
    with pytest.raises(ValueError, match="have the same pair, compensation and settings; got .*gravity-2.0.*mass-2.0"):
        join_environments([gym.make(f"TransReward/Hopper-{shift}-darc-v0") for shift in ("mass-2.0", "gravity-2.0")])
