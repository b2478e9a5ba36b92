"""The DeepMind Control Suite: repeats, shifts, pixels, and the suite's own numbers."""

import copy
import os
import pickle
import sys

import gymnasium as gym
import mujoco
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env

from transreward_envs import Pair, get_suite
from transreward_envs.differences import differing_fields
from transreward_envs.robots import get_robot
from transreward_envs.robots.extras import installed

needs_dmc = pytest.mark.skipif(not installed("dmc"), reason="needs the extra `dmc`")

PAIRS = get_suite("dmc")
TASKS = {"CheetahRun": ("cheetah", "run"), "WalkerWalk": ("walker", "walk"), "BallInCupCatch": ("ball_in_cup", "catch")}
SHIFTED = [{"kind": "mass", "scale": 2.0}, {"kind": "gravity", "scale": 0.5}]


def make(robot: str, **kwargs: object) -> gym.Env:
    return gym.make(f"TransReward/{robot}-v0", disable_env_checker=True, **kwargs)


def rollout(env: gym.Env, *, steps: int = 20, seed: int = 3) -> np.ndarray:
    """Return what random actions give in two episodes, rewards beside observations."""
    generator, rows = np.random.default_rng(0), []
    for episode in range(2):
        rows.append(np.append(env.reset(seed=None if episode else seed)[0], 0.0))
        for _ in range(steps):
            action = generator.uniform(env.action_space.low, env.action_space.high).astype(np.float32)
            observation, reward, *_ = env.step(action)
            rows.append(np.append(observation, reward))
    return np.array(rows)


def test_the_suite_holds_six_pairs_with_the_stated_repeats_and_equal_simulated_time() -> None:
    assert [pair.name for pair in PAIRS[:2]] == ["CheetahRun-repeat-4to2", "CheetahRun-repeat-6to3"]
    assert len(PAIRS) == 6
    for pair in PAIRS:
        repeats = [pair.shifts(role)[0].times for role in ("source", "target")]
        limits = [pair.max_episode_steps(role) for role in ("source", "target")]
        assert (repeats, limits) in (([4, 2], [250, 500]), ([6, 3], [167, 334]))
        assert get_robot(pair.robot).extra == "dmc"


@needs_dmc
@pytest.mark.filterwarnings("ignore:.*Box observation space (min|max)imum value is.*")
@pytest.mark.filterwarnings("ignore:.*is different from the unwrapped version.*")
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_a_pair_is_made_steps_and_passes_the_checker_in_equal_spaces(pair: Pair) -> None:
    envs = [gym.make(pair.id(role), disable_env_checker=True) for role in ("source", "target")]
    for role, env in zip(("source", "target"), envs, strict=True):
        check_env(env, skip_render_check=True)
        assert env.unwrapped.shifts == pair.shifts(role)
        assert isinstance(env.unwrapped.model, mujoco.MjModel)
        assert isinstance(env.unwrapped.data, mujoco.MjData)
        assert set(env.reset(seed=0)[1]) == set(env.step(env.action_space.sample())[4])
    assert envs[0].observation_space == envs[1].observation_space
    assert envs[0].action_space == envs[1].action_space
    assert envs[0].observation_space.dtype == np.float64
    assert differing_fields(*(env.unwrapped.model for env in envs)) == set()


@needs_dmc
@pytest.mark.parametrize("robot", TASKS)
def test_the_plain_task_is_the_suites_bit_for_bit(robot: str) -> None:
    env = make(robot)  # first: it has dm_control do with this MuJoCo
    suite = pytest.importorskip("dm_control.suite")
    domain, task = TASKS[robot]
    stock = suite.load(domain, task)
    env.reset(seed=5)
    seed = int(gym.utils.seeding.np_random(5)[0].integers(2**32))
    stock.task._random = np.random.RandomState(seed)
    stock.reset()
    assert stock.control_timestep() == pytest.approx(env.unwrapped.dt)
    assert list(env.unwrapped.observation_structure) == list(stock.observation_spec())
    generator = np.random.default_rng(0)
    for _ in range(100):
        action = generator.uniform(-1.0, 1.0, env.action_space.shape).astype(np.float32)
        timestep = stock.step(action)
        observation, reward, *_ = env.step(action)
        assert np.array_equal(observation, np.concatenate([np.ravel(part) for part in timestep.observation.values()]))
        assert reward == timestep.reward


@needs_dmc
@pytest.mark.parametrize("robot", TASKS)
def test_a_repeated_action_earns_the_sum_of_its_rewards(robot: str) -> None:
    repeated, plain = make(robot, shift={"kind": "repeat", "times": 3}), make(robot)
    assert np.array_equal(repeated.reset(seed=0)[0], plain.reset(seed=0)[0])
    for _ in range(5):
        action = repeated.action_space.sample()
        observation, reward, *_ = repeated.step(action)
        steps = [plain.step(action) for _ in range(3)]
        assert np.array_equal(observation, steps[-1][0])
        assert reward == pytest.approx(sum(step[1] for step in steps))


@needs_dmc
@pytest.mark.parametrize("robot", TASKS)
def test_a_seed_gives_the_same_episodes_again_and_another_gives_others(robot: str) -> None:
    env = make(robot)
    first = rollout(env)
    assert np.array_equal(rollout(env), first)
    assert not np.array_equal(rollout(env, seed=4)[0], first[0])
    assert not np.array_equal(first[0], first[21])
    env.reset(seed=2**40)


@needs_dmc
def test_specs_json_pickle_and_copies_make_the_same_environment_again() -> None:
    env = make("WalkerWalk", shift=[*SHIFTED, {"kind": "repeat", "times": 2}], observe_actions=1)
    through_json = gym.make(EnvSpec.from_json(env.spec.to_json()))
    expected = rollout(env)
    for other in (gym.make(env.spec), through_json, pickle.loads(pickle.dumps(env)), copy.deepcopy(env)):
        assert np.array_equal(rollout(other), expected)


@needs_dmc
@pytest.mark.parametrize("robot", TASKS)
def test_shifts_of_the_model_reach_the_physics(robot: str) -> None:
    plain, shifted = make(robot), make(robot, shift=SHIFTED)
    total = plain.unwrapped.model.body_mass.sum()
    assert shifted.unwrapped.model.body_mass.sum() == pytest.approx(2.0 * total)
    assert shifted.unwrapped.model.opt.gravity[2] == pytest.approx(-4.905)
    assert not np.array_equal(rollout(plain), rollout(shifted))


@needs_dmc
def test_other_shapes_and_shifts_drawn_at_reset_reach_the_physics() -> None:
    long = make("WalkerWalk", shift={"kind": "limb", "bodies": ["left_leg"], "length": 1.5})
    plain = make("WalkerWalk")
    half = [env.unwrapped.model.geom("left_leg").size[1] for env in (plain, long)]
    assert half[1] == pytest.approx(1.5 * half[0])
    drawn = make("CheetahRun", shift_range=[{"kind": "gravity", "scale": [0.5, 0.6]}])
    drawn.reset(seed=0)
    assert -5.9 < drawn.unwrapped.data.model.opt.gravity[2] < -4.9
    assert np.array_equal(rollout(drawn), rollout(drawn))


@needs_dmc
@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"shift": {"kind": "direction", "heading": "backward"}}, "needs a robot that is rewarded for running"),
        ({"shift": {"kind": "mass", "scale": 2.0, "body": "tors"}}, "Unknown body of cheetah 'tors'. Did you mean"),
        ({"pixels": True, "observe_actions": 1}, "An observation of pixels stays as it is"),
        ({"pixels": True, "shift": {"kind": "observation_noise", "std": 0.1}}, "An observation of pixels stays as it"),
        (
            {"pixels": True, "shift_range": {"kind": "observation_noise", "std": [0.0, 0.1]}},
            "An observation of pixels stays as it",
        ),
        ({"frame_skip": 0}, "`frame_skip` must be an integer >= 1; got 0"),
    ],
)
def test_what_the_suite_does_not_take_is_an_error(kwargs: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make("CheetahRun", **kwargs)


@needs_dmc
def test_an_action_of_the_wrong_length_is_an_error() -> None:
    env = make("CheetahRun")
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"Action dimension mismatch. Expected \(6,\), found \(1,\)"):
        env.step(np.zeros(1, dtype=np.float32))


@needs_dmc
def test_pixels_are_bytes_of_the_stated_shape() -> None:
    env = make("CheetahRun", pixels=True)
    assert env.observation_space == gym.spaces.Box(0, 255, (64, 64, 3), np.uint8)
    if os.environ.get("MUJOCO_GL") not in ("egl", "osmesa", "glfw"):
        pytest.skip("needs a renderer: set MUJOCO_GL")
    observation, _ = env.reset(seed=0)
    moved = env.step(np.ones(6, dtype=np.float32))[0]
    assert env.observation_space.contains(observation)
    assert env.observation_space.contains(moved)
    assert not np.array_equal(observation, moved)


@needs_dmc
def test_an_environment_may_be_closed_twice() -> None:
    env = make("BallInCupCatch")
    env.reset(seed=0)
    env.close()
    env.close()


@pytest.mark.parametrize("missing", ["dm_control", "shimmy"])
def test_a_missing_extra_is_named_with_its_command(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [module for module in sys.modules if module.split(".")[0] == missing]:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.delitem(sys.modules, "transreward_envs.robots.dmc", raising=False)
    for name in ("CheetahRun", "WalkerWalk-repeat-4to2-source", "WalkerWalk-repeat-4to2-target"):
        with pytest.raises(gym.error.DependencyNotInstalled, match=r"pip install 'transreward-envs\[dmc\]'"):
            make(name)


@needs_dmc
def test_a_copy_that_varies_steps_as_its_original() -> None:
    env = make("CheetahRun", shift_range={"kind": "mass", "scale": [3.0, 3.1]})
    assert np.array_equal(rollout(env), rollout(copy.deepcopy(env)))
    assert not np.allclose(rollout(env), rollout(make("CheetahRun")))


@needs_dmc
@pytest.mark.filterwarnings("ignore")
def test_an_episode_whose_physics_fails_is_truncated_as_those_of_all_robots_are() -> None:
    env = gym.make("TransReward/CheetahRun-repeat-4to2-mixture-v0")
    env.reset(seed=0)
    assert not env.step(env.action_space.sample())[4]["physics_failed"]
    env.unwrapped.data.qvel[0] = np.nan
    _, reward, terminated, truncated, info = env.step(env.action_space.sample())
    assert (reward, terminated, truncated, info["physics_failed"]) == (0.0, False, True, True)
    assert np.isfinite(env.reset()[0]).all()


@needs_dmc
def test_lanes_of_a_target_spend_one_budget_and_end_by_time() -> None:
    env_id = "TransReward/CheetahRun-repeat-4to2-target-v0"
    envs = gym.make_vec(env_id, num_envs=3, target_budget=7)
    envs.reset(seed=0)
    ends = [envs.step(envs.action_space.sample())[3].sum() for _ in range(2)]
    assert (ends, envs.steps()["target"]) == ([0, 2], 6), "a single step is left, and one lane has it"
    for envs in (gym.make_vec(env_id, num_envs=2), gym.make_vec(env_id, num_envs=2, target_budget=10_000)):
        limits = [env.get_wrapper_attr("_max_episode_steps") for env in envs.envs]
        assert limits == [gym.spec(env_id).max_episode_steps] * 2
