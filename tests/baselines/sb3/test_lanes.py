"""Lanes under Stable-Baselines3: what its agents see is what they see of single domains, only faster."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3 import PPO
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from transreward_baselines.sb3.lanes import VectorEnvAdapter, make_vec


@pytest.mark.parametrize(
    "env_id", ["TransReward/Hopper-v0", "TransReward/Ant-mass-2.0-target-v0", "TransReward/Reacher-v0"]
)
def test_lanes_are_what_monitored_single_domains_are(env_id: str) -> None:
    ours = make_vec(env_id, n_envs=3, seed=5, threads=1)
    theirs = DummyVecEnv([lambda: Monitor(gym.make(env_id))] * 3)
    theirs.seed(5)
    assert np.array_equal(ours.reset(), theirs.reset())
    generator, ended = np.random.default_rng(0), 0
    for _ in range(120):
        actions = generator.uniform(-1.0, 1.0, (3, *ours.action_space.shape)).astype(np.float32)
        mine, other = ours.step(actions), theirs.step(actions)
        assert np.array_equal(mine[0].astype(np.float32), other[0].astype(np.float32))
        assert np.allclose(mine[1], other[1], atol=1e-5)
        assert np.array_equal(mine[2], other[2])
        for one, two in zip(mine[3], other[3], strict=True):
            assert set(two) <= set(one)
            assert one["TimeLimit.truncated"] == two["TimeLimit.truncated"]
            assert ("terminal_observation" in one) == ("terminal_observation" in two)
            if "terminal_observation" in one:
                ended += 1
                assert np.array_equal(one["terminal_observation"], two["terminal_observation"])
                assert one["episode"]["l"] == two["episode"]["l"]
                assert one["episode"]["r"] == pytest.approx(two["episode"]["r"], abs=1e-4)
                assert one["reward_ctrl"] == pytest.approx(two["reward_ctrl"], abs=1e-5)
    assert ended > 0


def test_an_agent_learns_saves_and_is_evaluated_on_lanes() -> None:
    envs = VecNormalize(make_vec("TransReward/InvertedPendulum-v0", n_envs=8, seed=0))
    agent = PPO("MlpPolicy", envs, n_steps=64, batch_size=128, seed=0, device="cpu")
    agent.learn(2048)
    assert len(agent.ep_info_buffer) > 0
    envs.training = False
    returns, lengths = evaluate_policy(agent, envs, n_eval_episodes=4, return_episode_rewards=True)
    assert returns == [length - 1 for length in lengths]  # the step that ends an episode earns nothing


def test_attributes_and_methods_reach_every_lane() -> None:
    envs = make_vec("TransReward/Hopper-v0", n_envs=3, lane_shifts=[(), (), {"kind": "gravity", "scale": 2.0}])
    gravities = [model.opt.gravity[2] for model in envs.get_attr("model")]
    assert gravities == pytest.approx([-9.81, -9.81, -19.62])
    assert envs.get_attr("dt", indices=[1]) == [pytest.approx(0.008)]
    first = envs.reset()
    for _ in range(3):
        first = envs.step(np.full((3, 3), 0.5, dtype=np.float32))[0]
    for state, seen in zip(envs.env_method("state_vector"), first, strict=True):
        assert np.array_equal(state[1:6], seen[:5])
    assert envs.env_is_wrapped(Monitor) == [True] * 3
    with pytest.raises(NotImplementedError, match="'dt' cannot be set for one alone"):
        envs.set_attr("dt", 1.0)
    envs.close()


def test_training_ids_in_lanes_work_too() -> None:
    envs = make_vec("TransReward/Hopper-gravity-2.0-mixture-v0", n_envs=2, seed=0, time_limit=20)
    envs.reset()
    infos = [info for _ in range(25) for info in envs.step(np.zeros((2, 3), dtype=np.float32))[3]]
    episodes = [info for info in infos if "episode" in info]
    assert episodes
    assert {info["domain"] for info in episodes} <= {0, 1}
    assert episodes[0]["episode_env"]["l"] <= 20


def test_lanes_that_start_again_in_the_next_step_are_refused() -> None:
    with pytest.raises(ValueError, match='Make them with autoreset_mode="SameStep"'):
        VectorEnvAdapter(gym.make_vec("TransReward/Hopper-v0", num_envs=2))


def test_observations_are_copies_even_where_the_lanes_share_theirs() -> None:
    envs = make_vec("TransReward/Hopper-v0", n_envs=2, seed=0, copy=False)
    first = envs.reset()
    kept = first.copy()
    envs.step(np.zeros((2, 3), dtype=np.float32))
    assert np.array_equal(first, kept)


def test_a_failure_of_the_physics_is_no_time_limit() -> None:
    envs = make_vec("TransReward/Hopper-v0", n_envs=2, seed=0, reports=False)
    envs.reset()
    envs.envs.unwrapped._engine.qvel[1] = 1e12
    _, rewards, done, infos = envs.step(np.zeros((2, 3), dtype=np.float32))
    assert done.tolist() == [False, True]
    assert rewards[1] == 0.0
    assert infos[1]["physics_failed"]
    assert not infos[1]["TimeLimit.truncated"]
    assert infos[0] == {"TimeLimit.truncated": False}


def test_lanes_are_rendered_each(monkeypatch: pytest.MonkeyPatch) -> None:
    envs = make_vec("TransReward/Hopper-v0", n_envs=2, render_mode="rgb_array")
    heights = []

    def draw(domain: Any) -> np.ndarray:  # a machine need not have a renderer
        heights.append(domain.data.qpos[1])
        return np.zeros((4, 5, 3), dtype=np.uint8)

    monkeypatch.setattr(type(envs.envs.unwrapped.lanes[0].domain), "render", draw)
    seen = envs.reset()
    assert [image.shape for image in envs.get_images()] == [(4, 5, 3)] * 2
    assert envs.render().shape == (8, 5, 3)
    assert heights[:2] == seen[:, 0].tolist()


def test_lanes_start_with_the_same_options() -> None:
    envs = make_vec("TransReward/Hopper-v0", n_envs=2)
    envs.set_options([{"a": 1}, {"a": 2}])
    with pytest.raises(ValueError, match="Lanes start together, with the same options"):
        envs.reset()


@pytest.mark.parametrize("method", ["source", "mixture", "darc"])
def test_what_is_reported_at_ends_alone_is_what_is_reported_always(method: str) -> None:
    env_id = f"TransReward/InvertedPendulum-gravity-2.0-{method}-v0"
    made = [make_vec(env_id, n_envs=3, seed=1, reports=reports) for reports in (True, False)]
    for envs in made:
        envs.reset()
    generator, ended = np.random.default_rng(0), 0
    for _ in range(60):
        actions = generator.uniform(-3.0, 3.0, (3, 1)).astype(np.float32)
        always, ends = (envs.step(actions)[3] for envs in made)
        for one, two in zip(always, ends, strict=True):
            if "episode" in one:
                ended += 1
                assert one["episode"]["r"] == two["episode"]["r"]
                assert one["episode"]["l"] == two["episode"]["l"]
                assert set(one) == set(two)
            else:
                assert set(two) == {"TimeLimit.truncated"}
    assert ended > 5
