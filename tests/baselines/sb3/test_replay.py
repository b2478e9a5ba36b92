"""Rewards that are compensated when they are drawn, under agents of Stable-Baselines3."""

import pickle
from dataclasses import fields
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3 import DDPG, SAC, TD3
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.utils import set_random_seed
from stable_baselines3.common.vec_env import SubprocVecEnv, VecFrameStack, VecNormalize

from tests.baselines.drifting import FORMS, LANES, PAIR, Drifting, drifting, drifting_env, drifting_in, drifting_lanes
from transreward_baselines.sb3 import CompensatedReplayBuffer, compensated_replay, make_vec
from transreward_baselines.sb3.compensation import LiveCompensation
from transreward_baselines.sb3.lanes import VectorEnvAdapter
from transreward_envs.training import join_environments
from transreward_wrappers import CompensationError, Transitions

SMALL = {"buffer_size": 3_000, "batch_size": 16, "learning_starts": 60, "train_freq": 4, "seed": 0, "device": "cpu"}
DARC = {"warmup": 100, "fit_budget": 20, "update_every": 16, "batch_size": 16, "hidden": 8, "target_ratio": 0.5}


def make(env: Any, algorithm: type[OffPolicyAlgorithm] = SAC, **settings: Any) -> OffPolicyAlgorithm:
    return algorithm(
        "MlpPolicy", env, **{**SMALL, **compensated_replay(env), "policy_kwargs": {"net_arch": [8]}, **settings}
    )


def kept(agent: OffPolicyAlgorithm) -> Transitions:
    """Return all that the buffer keeps, as it shows it to the compensation, in the order in which it was made."""
    buffer = agent.replay_buffer
    rows, lanes = np.divmod(np.arange(buffer.size() * buffer.n_envs), buffer.n_envs)
    return buffer._transitions((rows, lanes))


def draw(agent: OffPolicyAlgorithm, count: int = 200) -> tuple[Any, np.ndarray]:
    """Return what the buffer draws, and which of all that it keeps that is."""
    buffer, random = agent.replay_buffer, np.random.RandomState(7)
    set_random_seed(7)
    drawn = buffer.sample(count, agent.get_vec_normalize_env())
    rows = random.randint(0, buffer.size(), size=count)
    return drawn, rows * buffer.n_envs + random.randint(0, buffer.n_envs, size=count)


@pytest.mark.parametrize("algorithm", [SAC, TD3, DDPG])
@pytest.mark.parametrize("form", FORMS)
def test_what_is_drawn_is_paid_by_the_compensation_of_now(form: str, algorithm: type[OffPolicyAlgorithm]) -> None:
    env = drifting(form)
    agent = make(env, algorithm)
    agent.learn(300)
    compensation = drifting_in(env)
    made = compensation.log()
    for _ in range(2):
        drawn, where = draw(agent)
        paid = made.reward + compensation(made)
        assert np.array_equal(drawn.rewards.numpy()[:, 0], paid[where].astype(np.float32))
        assert np.array_equal(drawn.observations, made.observation[where])
        assert np.array_equal(drawn.next_observations, made.next_observation[where])
        assert np.array_equal(drawn.dones[:, 0], made.terminated[where].astype(np.float32))
        compensation.scale = -3.0


@pytest.mark.parametrize("timeouts", [True, False])
@pytest.mark.parametrize("form", FORMS)
def test_the_compensation_is_shown_what_it_was_shown_before(form: str, timeouts: bool) -> None:
    env = drifting(form)
    arguments = compensated_replay(env)
    arguments["replay_buffer_kwargs"]["handle_timeout_termination"] = timeouts
    agent = make(env, learning_starts=1_000, **arguments)
    agent.learn(300)
    made, again = drifting_in(env).log(), kept(agent)
    for field in fields(Transitions):
        first, second = getattr(made, field.name), getattr(again, field.name)
        assert np.array_equal(first, second), field.name
        assert first.dtype == second.dtype, field.name
    assert 0.2 < made.domain.mean() < 0.8
    assert made.terminated.any()
    over = agent.replay_buffer.dones[: agent.replay_buffer.size()].reshape(-1)
    assert (over > made.terminated).any(), "some episodes must be ended by their time limit"
    drawn, where = draw(agent)
    assert np.array_equal(drawn.dones[:, 0], (made.terminated if timeouts else over)[where].astype(np.float32))


@pytest.mark.parametrize("learn_from", ["both", "source"])
def test_a_full_buffer_shows_the_newest_transitions(learn_from: str) -> None:
    env = drifting("lanes")
    agent = make(env, buffer_size=40 * LANES, **compensated_replay(env, learn_from=learn_from))
    agent.learn(100 * LANES)
    buffer, made = agent.replay_buffer, drifting_in(env).log()
    assert buffer.full
    newest = made.select(slice(60 * LANES, None))
    order = np.roll(np.arange(40 * LANES).reshape(40, LANES), -buffer.pos, axis=0).reshape(-1)
    assert np.array_equal(kept(agent).select(order).next_observation, newest.next_observation)
    assert np.array_equal(kept(agent).select(order).domain, newest.domain)
    drawn = buffer.sample(2_000)
    found = _steps(drawn.observations.numpy(), drawn.next_observations.numpy())
    of = newest.domain <= (learn_from == "both")
    assert found == _steps(newest.observation[of], newest.next_observation[of])


@pytest.mark.parametrize("algorithm", [SAC, TD3])
@pytest.mark.parametrize("form", FORMS)
def test_a_compensation_that_stays_teaches_what_frozen_rewards_teach(
    form: str, algorithm: type[OffPolicyAlgorithm]
) -> None:
    agents = []
    for relabels in (True, False):
        env = drifting(form, pace=0.0)
        arguments = {} if relabels else {"replay_buffer_class": ReplayBuffer, "replay_buffer_kwargs": {}}
        agents.append(make(env, algorithm, **arguments))
        agents[-1].learn(240)
    ours, theirs = (agent.policy.state_dict() for agent in agents)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert agents[0]._n_updates == agents[1]._n_updates > 10


@pytest.mark.parametrize("form", ["dummy", "lanes"])
def test_what_is_normalised_is_paid_as_what_is_not(form: str) -> None:
    env = drifting(form)
    normal = VecNormalize(env)
    agent = make(normal)
    agent.learn(300)
    compensation = drifting_in(env)
    made, again = compensation.log(), kept(agent)
    drawn, where = draw(agent)
    for field in fields(Transitions):
        assert np.allclose(getattr(made, field.name), getattr(again, field.name), atol=1e-6), field.name
    paid = (made.reward + compensation(made))[where]
    assert np.allclose(drawn.rewards.numpy()[:, 0], normal.normalize_reward(paid), atol=1e-5)
    assert np.allclose(drawn.observations, normal.normalize_obs(made.observation[where]), atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_an_agent_may_learn_from_the_source_alone(form: str) -> None:
    env = drifting(form)
    agent = make(env, **compensated_replay(env, learn_from="source"))
    agent.learn(300)
    made = drifting_in(env).log()
    drawn = agent.replay_buffer.sample(5_000)
    found = _steps(drawn.observations.numpy(), drawn.next_observations.numpy())
    sources, targets = (_steps(made.observation[of], made.next_observation[of]) for of in _by_domain(made))
    assert found == sources
    assert not found & targets


def _by_domain(made: Transitions) -> list[np.ndarray]:
    return [made.domain == index for index in (0, 1)]


def _steps(observations: np.ndarray, following: np.ndarray) -> set[bytes]:
    """Return transitions as what can be looked up; both domains start episodes from the same states."""
    return {row.tobytes() for row in np.concatenate([observations, following], axis=1)}


def test_an_agent_that_has_nothing_from_the_source_says_so() -> None:
    env = gym.make(PAIR.id("reward-transfer"), fit_budget=40, fit_updates=2, hidden=8)
    agent = make(env, **compensated_replay(env, learn_from="source"))
    with pytest.raises(ValueError, match="needs transitions from there; all 64 are of the target"):
        agent.learn(100)
    with pytest.raises(ValueError, match="Unknown setting of `learn_from` 'sauce'. Did you mean 'source'"):
        make(env, **compensated_replay(env, learn_from="sauce"))


@pytest.mark.parametrize("method", ["darc", "reward-transfer"])
def test_drawing_leaves_no_trace_in_what_is_learnt(method: str) -> None:
    settings = DARC if method == "darc" else {"fit_budget": 40, "fit_updates": 2, "hidden": 8}
    env = make_vec(PAIR.id(method), 2, seed=0, time_limit=20, **settings)
    agent = make(env)
    agent.learn(300)
    before = env.get_attr("diagnostics")[0]
    assert before
    first = agent.replay_buffer.sample(64).rewards
    assert env.get_attr("diagnostics")[0] == before
    assert first.isfinite().all()


def test_transitions_of_darcs_warm_up_are_paid_once_it_has_learnt() -> None:
    env = make_vec(PAIR.id("darc"), 2, seed=0, time_limit=20, **DARC)
    agent = make(env)
    agent.learn(400)
    buffer = agent.replay_buffer
    where = np.arange(40).repeat(2), np.tile([0, 1], 40)  # 80 steps of both lanes: before the end of the warm-up
    added = buffer._drawn(*where, None).rewards.numpy()[:, 0] - buffer.rewards[where]
    source = buffer.domains[where] == 0
    assert (np.abs(added[source]) > 1e-4).mean() > 0.9
    assert not added[~source].any()
    assert 20 < source.sum() < 60


def test_environments_of_make_vec_env_that_learn_together_are_relabelled() -> None:
    envs = make_vec_env(PAIR.id("darc"), 2, seed=0, env_kwargs={"time_limit": 20, **DARC})
    with pytest.raises(ValueError, match="these 2 environments have one each. Make lanes by `make_vec`, or call"):
        compensated_replay(envs)
    join_environments(envs.envs)
    make(envs).learn(200)
    assert envs.get_attr("diagnostics")[0]["classifier_updates"] > 20


def test_lanes_that_are_stepped_one_by_one_are_relabelled_too() -> None:
    from transreward_envs import make_pair

    pair = make_pair("HalfCheetah", {"kind": "obstacle", "x": 3.0}, validate=False)
    env = make_vec("TransReward/HalfCheetah-broken-bthigh-darc-v0", 2, seed=0, pair=pair.to_json(), time_limit=9)
    agent = make(env)
    agent.learn(80)
    assert np.array_equal(np.unique(agent.replay_buffer.domains[: agent.replay_buffer.size()]), [0, 1])


def test_environments_that_are_joined_later_are_asked_together() -> None:
    first, second = drifting_env(), drifting_env()
    live = LiveCompensation(second)
    join_environments([first, second])
    first.reset(seed=0)
    made = first.step(np.zeros(1, dtype=np.float32))
    assert made[1] == made[4]["reward/env"] + made[4]["reward/compensation"]
    log = second.compensation.log()
    assert live(first.compensation.log(), np.zeros(1, dtype=bool)) == log.reward + first.compensation(log)
    assert first.compensation.scale == second.compensation.scale > 0.5


def test_a_lane_whose_physics_fails_is_paid_nothing_and_asked_nothing() -> None:
    env = VectorEnvAdapter(drifting_lanes())
    agent = make(env, learning_starts=1_000, train_freq=1)
    agent.learn(30)
    env.envs.unwrapped._engine.qvel[1] = 1e12
    agent.learn(LANES, reset_num_timesteps=False)
    buffer = agent.replay_buffer
    assert buffer.failed[:11].sum() == 1
    assert buffer.failed[10, 1]
    everywhere = np.arange(11).repeat(LANES), np.tile(np.arange(LANES), 11)
    paid = buffer._drawn(*everywhere, None).rewards.numpy().reshape(11, LANES)
    assert paid[10, 1] == 0.0
    assert np.count_nonzero(paid) == 32
    assert len(drifting_in(env).log()) == 32
    one = buffer._drawn(np.array([10]), np.array([1]), None)
    assert one.rewards.item() == 0.0
    assert one.dones.item() == 1.0


def test_what_is_not_finite_is_an_error_when_it_is_drawn() -> None:
    env = drifting("lanes")
    agent = make(env, learning_starts=1_000)
    agent.learn(60)
    drifting_in(env).broken = True
    with pytest.raises(CompensationError, match=f"Drifting returned nan at step 60 of {PAIR.name}"):
        agent.replay_buffer.sample(4)


@pytest.mark.parametrize("algorithm", [SAC, TD3])
def test_agent_and_buffer_are_kept_without_environment_or_compensation(
    algorithm: type[OffPolicyAlgorithm], tmp_path: Path
) -> None:
    env = drifting("lanes")
    agent = make(env, algorithm)
    agent.learn(150)
    agent.save(tmp_path / "agent")
    agent.save_replay_buffer(tmp_path / "buffer.pkl")
    assert b"Drifting" not in (tmp_path / "buffer.pkl").read_bytes()
    assert b"Drifting" not in pickle.dumps(agent.replay_buffer_kwargs)
    before, scale = draw(agent)[0], drifting_in(env).scale

    again = algorithm.load(tmp_path / "agent", env=env, **compensated_replay(env))
    again.learn(90)
    again = algorithm.load(tmp_path / "agent", env=env, device="cpu")
    again.load_replay_buffer(tmp_path / "buffer.pkl")
    with pytest.raises(RuntimeError, match=r"Call `agent.replay_buffer.attach\(env\)` with the environment"):
        again.replay_buffer.sample(4)
    again.replay_buffer.attach(env)
    assert drifting_in(env).scale > scale
    for now, same in ((drifting_in(env).scale, False), (scale, True)):
        drifting_in(env).scale = now
        drawn = draw(again)[0]
        assert torch.equal(drawn.observations, before.observations)
        assert torch.equal(drawn.dones, before.dones)
        assert torch.equal(drawn.rewards, before.rewards) is same
    again.learn(30, reset_num_timesteps=False)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"optimize_memory_usage": True}, ValueError, "`optimize_memory_usage` must be False: it overwrites"),
        ({"n_steps": 3, "gamma": 0.9}, TypeError, "pays transitions one by one; it takes no n_steps, gamma"),
        ({"compensation": Drifting()}, TypeError, "must be that of the environment trained in; got Drifting"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict, error: type[Exception], message: str) -> None:
    env = drifting_env()
    arguments = {"compensation": LiveCompensation(env), **settings}
    with pytest.raises(error, match=message):
        CompensatedReplayBuffer(10, env.observation_space, env.action_space, **arguments)


def test_steps_beyond_the_next_are_not_promised_by_the_agent() -> None:
    with pytest.warns(UserWarning, match="`n_steps=3` is ignored because a custom `replay_buffer_class`"):
        make(drifting_env(), n_steps=3)


@pytest.mark.parametrize(
    ("env", "message"),
    [
        (lambda: gym.make(PAIR.id("mixture")), "These environments have no compensation"),
        (lambda: make_vec(PAIR.id("mixture"), 2), "These environments have no compensation"),
        (lambda: gym.wrappers.NormalizeObservation(drifting_env()), "NormalizeObservation around it changes them"),
        (lambda: gym.wrappers.RescaleAction(drifting_env(), -1, 1), "RescaleAction around it changes them"),
        (lambda: gym.wrappers.FrameStackObservation(drifting_env(), 2), "FrameStackObservation around it changes"),
        (lambda: VecFrameStack(drifting("dummy"), 2), "VecFrameStack around it changes them"),
        (
            lambda: VectorEnvAdapter(gym.wrappers.vector.ClipAction(drifting_lanes())),
            "ClipAction around it changes them",
        ),
        (
            lambda: gym.wrappers.TransformObservation(drifting_env(), np.tanh, None),
            "TransformObservation around it changes them",
        ),
    ],
)
def test_environments_that_hide_what_the_compensation_saw_are_refused(env: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compensated_replay(env())


def test_environments_of_other_processes_are_refused() -> None:
    envs = SubprocVecEnv([lambda: PAIR.make("source")], start_method="spawn")
    with pytest.raises(TypeError, match="environments in its own process.* got SubprocVecEnv"):
        compensated_replay(envs)
    envs.close()
    with pytest.raises(TypeError, match="got CompensateLanes"):
        compensated_replay(drifting_lanes())


def test_rewards_that_are_changed_or_not_told_are_refused() -> None:
    env = gym.wrappers.NormalizeReward(drifting_env())
    with pytest.raises(ValueError, match="Something around the compensation changes them"):
        make(env).learn(20)
    quiet = VectorEnvAdapter(drifting_lanes(), reports=False)
    with pytest.raises(ValueError, match="they lack reward/env, reward/compensation, domain. Make lanes with `reports"):
        make(quiet).learn(20)


def test_a_copy_of_a_buffer_is_detached_and_its_own_stays_attached() -> None:
    env = drifting("dummy")
    agent = make(env)
    agent.learn(100)
    copied = pickle.loads(pickle.dumps(agent.replay_buffer))
    assert np.array_equal(copied.domains, agent.replay_buffer.domains)
    with pytest.raises(RuntimeError, match="loaded or copied"):
        copied.sample(1)
    agent.replay_buffer.sample(1)
