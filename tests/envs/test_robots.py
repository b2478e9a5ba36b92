"""Domains: stock without shifts, and shifted as stated."""

import copy
import pickle
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.mujoco.mujoco_env import expand_model_path
from gymnasium.envs.registration import EnvSpec
from numpy.typing import NDArray

import transreward_envs
from transreward_envs import ROBOTS
from transreward_envs.shifts import MassShift

STOCK_WARNINGS = pytest.mark.filterwarnings("ignore:.*settotalmass.*")


def make(robot: str, **kwargs: object) -> gym.Env:
    return gym.make(f"TransReward/{robot}-v0", **kwargs)


def rollout(env: gym.Env, *, steps: int, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the observations and rewards of random actions, resets included."""
    generator = np.random.default_rng(seed)
    observation, _ = env.reset(seed=seed)
    observations, rewards = [observation], []
    for _ in range(steps):
        action = generator.uniform(env.action_space.low, env.action_space.high).astype(np.float32)
        observation, reward, terminated, truncated, _ = env.step(action)
        observations.append(observation)
        rewards.append(reward)
        if terminated or truncated:
            observation, _ = env.reset()
            observations.append(observation)
    return np.array(observations), np.array(rewards)


@STOCK_WARNINGS
@pytest.mark.parametrize("robot", [name for name, robot in ROBOTS.items() if robot.stock_id])
def test_the_unshifted_robot_is_gymnasiums_bit_for_bit(robot: str) -> None:
    ours, stock = make(robot), gym.make(ROBOTS[robot].stock_id)
    for mine, theirs in zip(rollout(ours, steps=1000), rollout(stock, steps=1000), strict=True):
        assert np.array_equal(mine, theirs)


@pytest.mark.parametrize("robot", ROBOTS)
def test_info_has_the_same_keys_at_reset_and_step(robot: str) -> None:
    env = make(robot, shift={"kind": "repeat", "times": 2})
    _, at_reset = env.reset(seed=0)
    at_step = env.step(env.action_space.sample())[4]
    assert set(at_reset) == set(at_step)


@pytest.mark.parametrize("copied", [lambda env: pickle.loads(pickle.dumps(env)), copy.deepcopy])
def test_a_copy_keeps_the_shift(copied) -> None:
    shift = [{"kind": "mass", "scale": 2.0}, {"kind": "delay", "steps": 1}]
    env = make("Hopper", shift=shift, observe_actions=1)
    other = copied(env.unwrapped)
    assert other.shifts == env.unwrapped.shifts
    assert np.array_equal(other.model.body_mass, env.unwrapped.model.body_mass)
    assert np.array_equal(rollout(other, steps=20)[0], rollout(env, steps=20)[0])


def test_shifts_may_be_values_and_stand_in_the_spec_as_json() -> None:
    env = make("Hopper", shift=(MassShift(scale=2.0),))
    again = gym.make(EnvSpec.from_json(env.spec.to_json()))
    assert env.spec.kwargs["shift"] == [{"kind": "mass", "scale": 2.0}]
    assert again.unwrapped.shifts == env.unwrapped.shifts


def test_a_shifted_domain_steps_differently() -> None:
    plain, shifted = make("Hopper"), make("Hopper", shift={"kind": "gravity", "scale": 2.0})
    assert np.array_equal(plain.reset(seed=0)[0], shifted.reset(seed=0)[0])
    action = np.full(3, 0.5, dtype=np.float32)
    assert not np.array_equal(plain.step(action)[0], shifted.step(action)[0])


def test_a_delay_applies_each_action_late_and_zero_before() -> None:
    delayed, plain = make("HalfCheetah", shift={"kind": "delay", "steps": 2}), make("HalfCheetah")
    delayed.reset(seed=0)
    plain.reset(seed=0)
    actions = [np.full(6, value, dtype=np.float32) for value in (0.9, -0.7, 0.5, 0.1)]
    applied = [np.zeros(6, dtype=np.float32)] * 2 + actions[:2]
    for chosen, late in zip(actions, applied, strict=True):
        assert np.array_equal(delayed.step(chosen)[0], plain.step(late)[0])


def test_the_observation_holds_the_past_actions_newest_first() -> None:
    env = make("Hopper", observe_actions=2)
    observation, _ = env.reset(seed=0)
    assert np.array_equal(observation[11:], np.zeros(6))
    env.step(np.full(3, 0.25, dtype=np.float32))
    observation = env.step(np.full(3, -0.5, dtype=np.float32))[0]
    assert np.array_equal(observation[11:], [-0.5] * 3 + [0.25] * 3)
    assert env.observation_space.contains(observation)


def test_a_repeated_action_earns_the_sum_of_its_rewards() -> None:
    repeated, plain = make("HalfCheetah", shift={"kind": "repeat", "times": 3}), make("HalfCheetah")
    repeated.reset(seed=0)
    plain.reset(seed=0)
    action = np.full(6, 0.5, dtype=np.float32)
    observation, reward, _, _, info = repeated.step(action)
    steps = [plain.step(action) for _ in range(3)]
    assert np.array_equal(observation, steps[-1][0])
    assert reward == pytest.approx(sum(step[1] for step in steps))
    assert info["reward_ctrl"] == pytest.approx(sum(step[4]["reward_ctrl"] for step in steps))
    assert repeated.metadata["render_fps"] == 7


def test_a_repeated_action_stops_at_a_termination() -> None:
    env, plain = make("Hopper", shift={"kind": "repeat", "times": 1000}), make("Hopper")
    env.reset(seed=0)
    plain.reset(seed=0)
    action, rewards, fell = np.ones(3, dtype=np.float32), [], False
    while not fell:
        _, reward, fell, _, _ = plain.step(action)
        rewards.append(reward)
    _, reward, terminated, _, _ = env.step(action)
    assert terminated
    assert 1 < len(rewards) < 1000
    assert env.unwrapped.data.time == pytest.approx(len(rewards) * plain.unwrapped.dt)
    assert reward == pytest.approx(sum(rewards))


def test_noise_has_the_stated_width_is_reproducible_and_leaves_initial_states_alone() -> None:
    env = make("HalfCheetah", shift={"kind": "noise", "half_width": 0.05, "dimension": -1})
    plain, controls = make("HalfCheetah"), []
    for _ in range(2):
        env.reset(seed=7)
        drawn = []
        for _ in range(200):
            env.step(np.zeros(6, dtype=np.float32))
            drawn.append(env.unwrapped.data.ctrl.copy())
        controls.append(np.array(drawn))
    assert np.array_equal(*controls)
    noise = controls[0][:, -1]
    assert np.all(np.abs(noise) <= 0.05)
    assert noise.std() == pytest.approx(0.05 / np.sqrt(3.0), rel=0.15)
    assert np.all(controls[0][:, :-1] == 0.0)
    plain.reset(seed=7)
    assert np.array_equal(env.reset()[0], plain.reset()[0])


def test_the_agents_own_action_is_what_costs() -> None:
    env = make("HalfCheetah", shift={"kind": "noise", "half_width": 0.5})
    env.reset(seed=0)
    assert env.step(np.zeros(6, dtype=np.float32))[4]["reward_ctrl"] == 0.0


def test_noise_in_a_dimension_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"`dimension` must lie in \[-3, 2\]"):
        make("Hopper", shift={"kind": "noise", "half_width": 0.1, "dimension": 3})


@pytest.mark.parametrize(
    ("shift", "expected"),
    [
        ({"kind": "direction", "heading": "backward"}, lambda velocity, position: -velocity),
        ({"kind": "direction", "heading": "either"}, lambda velocity, position: abs(velocity)),
        ({"kind": "velocity", "goal": 3.0}, lambda velocity, position: -abs(velocity - 3.0)),
    ],
)
@pytest.mark.parametrize("robot", ["Hopper", "Walker2d", "HalfCheetah", "Ant", "Humanoid", "Swimmer"])
def test_a_reward_shift_changes_the_forward_term_and_nothing_else(robot: str, shift: dict, expected) -> None:
    plain, shifted = make(robot), make(robot, shift=shift)
    plain.reset(seed=0)
    shifted.reset(seed=0)
    plain.action_space.seed(0)
    weight = plain.unwrapped._forward_reward_weight
    for _ in range(5):
        action = plain.action_space.sample()
        before, reward, terminated, _, terms = plain.step(action)
        after, other, other_terminated, _, info = shifted.step(action)
        assert np.array_equal(before, after)
        assert terminated == other_terminated
        forward = weight * expected(info["x_velocity"], info["x_position"])
        assert info["reward_forward"] == pytest.approx(forward)
        assert other == pytest.approx(reward - terms["reward_forward"] + forward, abs=1e-6)  # stock costs are float32
        assert {key for key in terms if np.any(terms[key] != info[key])} <= {"reward_forward"}


def test_a_sparse_reward_is_one_past_the_distance_and_nothing_before() -> None:
    env = make("HalfCheetah", shift={"kind": "sparse", "distance": 1.0}).unwrapped
    env.reset(seed=0)
    for position, expected in ((0.9, 0.0), (1.1, 1.0)):
        env.set_state(np.array([position, *[0.0] * 8]), np.zeros(9))
        _, reward, _, _, info = env.step(np.full(6, 0.1, dtype=np.float32))
        assert reward == info["reward_forward"] == expected
        assert info["reward_ctrl"] == 0.0


@pytest.mark.parametrize("robot", ["Reacher", "Pusher", "InvertedPendulum", "Reacher7"])
def test_a_reward_shift_needs_a_robot_that_runs(robot: str) -> None:
    with pytest.raises(ValueError, match=f"needs a robot that is rewarded for running; {robot} is not"):
        make(robot, shift={"kind": "velocity", "goal": 1.0})
    with pytest.raises(ValueError, match=f"needs a robot that is rewarded for running; {robot} is not"):
        make(robot, shift_range={"kind": "velocity", "goal": [1.0, 2.0]})


@pytest.mark.parametrize(
    "kind", [{"kind": "observation_noise", "std": 0.1}, {"kind": "direction", "heading": "either"}]
)
def test_one_shift_of_the_observation_and_one_of_the_reward_at_most(kind: dict) -> None:
    with pytest.raises(ValueError, match="Two shifts must not write the same field"):
        make("Hopper", shift=[kind, kind])


@pytest.mark.parametrize(
    "shifts",
    [
        [{"kind": "delay", "steps": 1}, {"kind": "delay", "steps": 2}],
        [{"kind": "repeat", "times": 2}, {"kind": "repeat", "times": 2}],
        [{"kind": "noise", "half_width": 0.1}, {"kind": "noise", "half_width": 0.1, "dimension": 0}],
    ],
)
def test_two_shifts_of_the_same_actions_are_an_error(shifts: list) -> None:
    with pytest.raises(ValueError, match="Two shifts must not write the same field"):
        make("Hopper", shift=shifts)


def test_observation_noise_is_reproducible_and_leaves_state_reward_and_past_actions_alone() -> None:
    noisy = make("Hopper", shift={"kind": "observation_noise", "std": 0.1}, observe_actions=1)
    plain = make("Hopper", observe_actions=1)
    first = noisy.reset(seed=3)[0]
    assert np.array_equal(first, noisy.reset(seed=3)[0])
    plain.reset(seed=3)
    action, differences = np.array([0.5, -0.5, 0.2], dtype=np.float32), []
    for _ in range(30):
        seen, reward, *_ = noisy.step(action)
        true, own, *_ = plain.step(action)
        assert reward == own
        assert np.array_equal(seen[-3:], action)
        differences.append(seen[:-3] - true[:-3])
    assert np.std(differences) == pytest.approx(0.1, rel=0.1)
    assert np.array_equal(noisy.unwrapped.data.qpos, plain.unwrapped.data.qpos)


def test_reacher7_is_rewarded_for_being_near_its_goal() -> None:
    env = make("Reacher7")
    observation, _ = env.reset(seed=0)
    assert observation.shape == (20,)
    observation, reward, terminated, truncated, info = env.step(np.full(7, 0.5, dtype=np.float32))
    distance = np.linalg.norm(env.unwrapped.get_body_com("goal") - env.unwrapped.get_body_com("fingertip"))
    assert reward == pytest.approx(-distance - 0.01 * 7 * 0.25)
    assert np.linalg.norm(observation[-3:]) == pytest.approx(distance)
    assert info["distance"] == pytest.approx(distance)
    goal = env.unwrapped.get_body_com("goal").copy()
    for _ in range(99):
        _, _, terminated, truncated, _ = env.step(env.action_space.sample())
    assert truncated
    assert not terminated
    assert np.allclose(env.unwrapped.get_body_com("goal"), goal)


def test_reacher7_can_reach_every_corner_of_the_goals() -> None:
    from itertools import product

    import mujoco

    from transreward_envs.robots.reacher7 import GOAL_HIGH, GOAL_LOW

    model = make("Reacher7").unwrapped.model
    data, rng = mujoco.MjData(model), np.random.default_rng(0)
    low, high = model.jnt_range[:7].T
    tip = model.body("fingertip").id
    for corner in product(*zip(GOAL_LOW, GOAL_HIGH, strict=True)):
        nearest = np.inf
        for _ in range(20):
            data.qpos[:7] = rng.uniform(low, high)
            for _ in range(100):
                mujoco.mj_kinematics(model, data)
                mujoco.mj_comPos(model, data)
                jacobian = np.zeros((3, model.nv))
                mujoco.mj_jacBody(model, data, jacobian, None, tip)
                way = np.array(corner) - data.xpos[tip]
                data.qpos[:7] = np.clip(data.qpos[:7] + 0.5 * np.linalg.pinv(jacobian[:, :7], 0.05) @ way, low, high)
            nearest = min(nearest, float(np.linalg.norm(way)))
            if nearest < 0.02:
                break
        assert nearest < 0.02, corner


def test_an_action_of_the_wrong_length_is_an_error_under_noise_as_without() -> None:
    for shift in ((), {"kind": "noise", "half_width": 0.1}, {"kind": "delay", "steps": 1}):
        env = make("HalfCheetah", shift=shift, disable_env_checker=True)
        env.reset(seed=0)
        with pytest.raises(ValueError, match="Action dimension mismatch"):
            env.step(np.array([0.5]))


@pytest.mark.parametrize("keywords", [{}, {"shift": {"kind": "delay", "steps": 1}}])
def test_an_action_that_is_not_finite_is_refused(keywords: dict) -> None:
    env = make("Hopper", **keywords)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"Actions must be finite; got \[0.0, nan, 0.0\]"):
        env.step(np.array([0.0, np.nan, 0.0], dtype=np.float32))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("keywords", [{}, {"shift": {"kind": "delay", "steps": 1}}])
def test_physics_that_blows_up_ends_the_episode_as_in_a_lane(keywords: dict) -> None:
    env = make("Hopper", **keywords)
    env.reset(seed=0)
    action = np.zeros(3, dtype=np.float32)
    assert "physics_failed" not in env.step(action)[4]
    env.unwrapped.data.qvel[0] = np.nan
    _, reward, terminated, truncated, info = env.step(action)
    assert (reward, terminated, truncated, info["physics_failed"]) == (0.0, False, True, True)
    assert {value for key, value in info.items() if key.startswith("reward_")} == {0.0}
    env.reset()
    assert not env.step(action)[3]


def test_a_model_file_that_has_changed_is_loaded_anew(tmp_path: Path) -> None:
    path = tmp_path / "hopper.xml"
    stock = Path(expand_model_path("hopper.xml")).read_text()
    frictions = []
    for friction in ("2.0", "5.25"):
        path.write_text(stock.replace('friction="2.0"', f'friction="{friction}"'))
        frictions.append(make("Hopper", xml_file=str(path)).unwrapped.model.geom_friction[:, 0].max())
    assert frictions == [2.0, 5.25]


def test_an_unknown_robot_gets_a_suggestion() -> None:
    with pytest.raises(ValueError, match="Unknown robot 'Hoper'. Did you mean 'Hopper'"):
        transreward_envs.make_pair("Hoper", {"kind": "mass", "scale": 2.0})


def test_humanoid_pays_for_its_own_action_whatever_its_actuators_are_given() -> None:
    action = np.full(17, 0.4, dtype=np.float32)
    for shift in ((), {"kind": "delay", "steps": 3}, {"kind": "noise", "half_width": 0.1}):
        env = gym.make("TransReward/Humanoid-v0", shift=shift, disable_env_checker=True)
        lanes = gym.make_vec("TransReward/Humanoid-v0", num_envs=2, shift=shift, threads=1)
        env.reset(seed=0)
        lanes.reset(seed=0)
        told = [env.step(action)[4]["reward_ctrl"], *lanes.step(np.stack([action] * 2))[4]["reward_ctrl"]]
        np.testing.assert_allclose(told, -0.1 * 17 * 0.16, rtol=1e-6)
