"""Shifts that vary: ranges at reset, schedules over episodes, changes within one."""

import copy
import json
import pickle

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import scales
from transreward_envs.differences import differing_fields
from transreward_envs.robots.model import load_model
from transreward_envs.shifts import parse_shifts
from transreward_envs.variation import Constant, Cyclic, LogUniform, RandomWalk, StepChange, Uniform, VaryingShifts

MASS = {"kind": "mass", "scale": [0.5, 2.0]}
GRAVITY = {"kind": "gravity", "scale": {"law": "log_uniform", "low": 0.5, "high": 2.0}}
CYCLE = {"kind": "mass", "scale": {"law": "cyclic", "low": 0.5, "high": 1.5, "period": 4}}


def make(robot: str = "Hopper", **kwargs: object) -> gym.Env:
    return gym.make(f"TransReward/{robot}-v0", **kwargs)


def drawn(env: gym.Env, episodes: int, seed: int | None = None) -> list[float]:
    """Return the value that each reset draws."""
    values = []
    for episode in range(episodes):
        _, info = env.reset(seed=seed if episode == 0 else None)
        values.append(next(value for key, value in info.items() if key.startswith("shift/")))
    return values


def test_two_resets_with_one_seed_give_one_draw_and_other_seeds_another() -> None:
    env = make(shift_range=[MASS, GRAVITY])
    draws = [
        tuple(env.reset(seed=seed)[1][key] for key in ("shift/mass.scale", "shift/gravity.scale")) for seed in (3, 3, 4)
    ]
    assert draws[0] == draws[1] != draws[2]
    assert draws[0] != tuple(env.reset()[1][key] for key in ("shift/mass.scale", "shift/gravity.scale"))


@pytest.mark.parametrize("robot", ["Hopper", "HalfCheetah", "Ant"])
@pytest.mark.parametrize(
    "varying",
    [
        {"shift_range": MASS},
        {
            "shift_range": [
                {"kind": "noise", "half_width": [0.1, 0.2]},
                {"kind": "observation_noise", "std": [0.1, 0.2]},
            ]
        },
        {"shift_schedule": CYCLE},
        {"shift_change": [{"step": 3, "shift": MASS | {"scale": 2.0}}]},
    ],
    ids=lambda varying: next(iter(varying)),
)
def test_shifts_that_vary_leave_the_initial_states_alone(robot: str, varying: dict) -> None:
    plain, varied = make(robot), make(robot, **varying)
    for seed in (5, None, None):
        plain.reset(seed=seed)
        varied.reset(seed=seed)
        for env in (plain, varied):
            env.step(np.zeros(env.action_space.shape, dtype=np.float32))
        plain.reset(), varied.reset()
        assert np.array_equal(plain.unwrapped.data.qpos, varied.unwrapped.data.qpos)
        assert np.array_equal(plain.unwrapped.data.qvel, varied.unwrapped.data.qvel)


def test_draws_fill_their_range_and_reach_the_model() -> None:
    env = make(shift_range=MASS)
    nominal = make().unwrapped.model.body_mass.sum()
    values = []
    for episode in range(200):
        _, info = env.reset(seed=0 if episode == 0 else None)
        values.append(info["shift/mass.scale"])
        assert env.unwrapped.model.body_mass.sum() == pytest.approx(values[-1] * nominal)
    assert 0.5 <= min(values) < 0.55
    assert 1.95 < max(values) <= 2.0
    assert np.mean(values) == pytest.approx(1.25, abs=0.1)


@given(mass=scales, friction=scales, length=st.floats(0.5, 1.5), robot=st.sampled_from(("Hopper", "Walker2d")))
def test_the_model_of_an_episode_equals_one_made_with_its_values(
    mass: float, friction: float, length: float, robot: str
) -> None:
    shifts = [
        {"kind": "mass", "scale": mass},
        {"kind": "friction", "scale": friction},
        {"kind": "limb", "bodies": ["leg"], "length": length},
        {"kind": "timestep", "scale": 0.5 + mass / 20},
    ]
    env = make(robot, shift_schedule=[_constant(shift) for shift in shifts], shift={"kind": "gravity", "scale": 2.0})
    env.reset(seed=0)
    expected = load_model(env.unwrapped.fullpath, parse_shifts([*shifts, {"kind": "gravity", "scale": 2.0}]))
    assert differing_fields(env.unwrapped.model, expected) == set()
    assert np.array_equal(env.unwrapped.init_qpos, expected.qpos0)


def _constant(shift: dict) -> dict:
    """Return a shift with its numbers as constant schedules."""
    return {
        name: {"law": "constant", "level": value} if isinstance(value, float) else value
        for name, value in shift.items()
    }


def test_an_episode_with_drawn_values_steps_as_one_with_fixed_values() -> None:
    env = make(shift_range=[MASS, GRAVITY])
    _, info = env.reset(seed=8)
    fixed = make(shift=[{"kind": name, "scale": info[f"shift/{name}.scale"]} for name in ("mass", "gravity")])
    fixed.reset(seed=8)
    action = np.array([0.3, -0.2, 0.9], dtype=np.float32)
    for _ in range(20):
        assert np.array_equal(env.step(action)[0], fixed.step(action)[0])


def test_the_values_are_in_info_at_reset_and_step_and_on_request_in_the_observation() -> None:
    env = make(shift_range=[MASS, {"kind": "delay", "steps": [0, 3]}], observe_shift=True)
    observation, info = env.reset(seed=0)
    values = [info["shift/mass.scale"], info["shift/delay.steps"]]
    assert np.array_equal(observation[-2:], values)
    assert values[1] in (0.0, 1.0, 2.0, 3.0)
    observation, _, _, _, info = env.step(env.action_space.sample())
    assert [info["shift/mass.scale"], info["shift/delay.steps"]] == values
    assert np.array_equal(observation[-2:], values)
    assert np.array_equal(env.observation_space.low[-2:], [0.5, 0.0])
    assert np.array_equal(env.observation_space.high[-2:], [2.0, 3.0])


def test_whole_numbers_stay_whole_and_every_one_is_drawn() -> None:
    env = make(shift_range={"kind": "delay", "steps": [0, 3]})
    assert set(drawn(env, 100, seed=0)) == {0.0, 1.0, 2.0, 3.0}


def test_each_whole_number_is_as_likely_as_any_other() -> None:
    counts = np.bincount(np.array(drawn(make(shift_range={"kind": "delay", "steps": [0, 3]}), 800, seed=1), dtype=int))
    assert counts.min() > 150


def test_rewards_and_control_paths_vary_too() -> None:
    env = make(
        "HalfCheetah", shift_range=[{"kind": "velocity", "goal": [1.0, 3.0]}, {"kind": "repeat", "times": [2, 4]}]
    )
    _, info = env.reset(seed=0)
    goal, times = info["shift/velocity.goal"], info["shift/repeat.times"]
    _, _, _, _, info = env.step(np.zeros(6, dtype=np.float32))
    assert env.unwrapped.data.time == pytest.approx(0.05 * times)
    assert info["reward_forward"] < 0.0
    assert 1.0 <= goal <= 3.0


@pytest.mark.parametrize(
    ("law", "expected"),
    [
        ({"law": "constant", "level": 1.5}, [1.5] * 6),
        ({"law": "step_change", "levels": [1.0, 2.0, 0.5], "episodes": [0, 2, 3]}, [1.0, 1.0, 2.0, 0.5, 0.5, 0.5]),
        ({"law": "cyclic", "low": 0.5, "high": 1.5, "period": 4}, [0.5, 1.0, 1.5, 1.0, 0.5, 1.0]),
    ],
)
def test_a_schedule_goes_on_from_episode_to_episode_and_starts_anew_when_seeded(law: dict, expected: list) -> None:
    env = make(shift_schedule={"kind": "mass", "scale": law})
    for _ in range(2):
        assert drawn(env, 6, seed=0) == pytest.approx(expected)


def test_a_random_walk_stays_within_bounds_and_takes_steps_of_its_size() -> None:
    law = {"law": "random_walk", "low": 0.5, "high": 3.0, "std": 0.05, "start": 1.0}
    env = make(shift_schedule={"kind": "mass", "scale": law})
    walk = drawn(env, 300, seed=0)
    assert walk[0] == 1.0
    assert min(walk) >= 0.5
    assert max(walk) <= 3.0
    assert np.diff(walk).std() == pytest.approx(0.05, rel=0.2)
    assert drawn(env, 300, seed=0) == walk


def test_a_change_within_an_episode_comes_at_its_step_in_each_episode() -> None:
    change = {"step": 5, "shift": {"kind": "gravity", "scale": 2.0}}
    env = make("HalfCheetah", shift={"kind": "gravity", "scale": 0.5}, shift_change=[change])
    for _ in range(2):
        _, info = env.reset()
        assert info["shift/changes"] == 0.0
        gravity = []
        for _ in range(8):
            *_, info = env.step(np.zeros(6, dtype=np.float32))
            gravity.append(round(float(env.unwrapped.model.opt.gravity[2]), 3))
        assert gravity == [-4.905] * 5 + [-19.62] * 3
        assert info["shift/changes"] == 1.0


def test_actions_under_way_survive_a_change() -> None:
    delay = {"kind": "delay", "steps": 2}
    env = make("HalfCheetah", shift=delay, shift_change=[{"step": 1, "shift": [delay, {"kind": "mass", "scale": 2.0}]}])
    env.reset(seed=0)
    env.step(np.full(6, 0.7, dtype=np.float32))
    controls = []
    for _ in range(3):
        env.step(np.zeros(6, dtype=np.float32))
        controls.append(env.unwrapped.data.ctrl[0])
    assert controls == pytest.approx([0.0, 0.7, 0.0])


@pytest.mark.filterwarnings("ignore:.*Box observation space (min|max)imum value is.*")
def test_what_varies_survives_specs_json_pickle_and_the_checker() -> None:
    env = make(
        shift_range=[MASS], shift_change=[{"step": 3, "shift": {"kind": "gravity", "scale": 2.0}}], observe_shift=True
    )
    copies = [gym.make(EnvSpec.from_json(env.spec.to_json())), pickle.loads(pickle.dumps(env)), copy.deepcopy(env)]
    expected = env.reset(seed=2)[0]
    for other in copies:
        assert np.array_equal(other.reset(seed=2)[0], expected)
    assert json.dumps(env.spec.kwargs)
    check_env(make(shift_range=[MASS], observe_shift=True).unwrapped, skip_render_check=True)


def test_lanes_draw_their_own_values_and_info_holds_them_as_an_array() -> None:
    envs = gym.make_vec("TransReward/Hopper-v0", num_envs=4, vectorization_mode="sync", shift_range=MASS)
    _, info = envs.reset(seed=0)
    assert info["shift/mass.scale"].shape == (4,)
    assert len(set(info["shift/mass.scale"])) == 4


def test_a_limb_that_varies_moves_the_start_and_the_heights_that_end_an_episode() -> None:
    env = make("Walker2d", shift_range={"kind": "limb", "bodies": ["leg", "leg_left"], "length": [1.2, 1.2001]})
    env.reset(seed=0)
    start, low = env.unwrapped.init_qpos[1], env.unwrapped._healthy_z_range[0]
    assert start == pytest.approx(1.35, abs=1e-3)
    assert low == pytest.approx(0.8 * start / 1.25, abs=1e-6)
    given_range = make("Walker2d", shift={"kind": "limb", "bodies": ["leg"], "length": 0.5}, healthy_z_range=(0.8, 2.0))
    assert given_range.unwrapped._healthy_z_range == (0.8, 2.0)


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        (
            {"shift_range": {"kind": "mass", "scale": [-1.0, 2.0]}},
            ValueError,
            "`scale` must be finite and > 0; got -1.0",
        ),
        ({"shift_range": {"kind": "mass", "scale": [2.0, 1.0]}}, ValueError, "lower and a higher end; got"),
        ({"shift_range": {"kind": "mass", "scale": [1.0, 2.0, 3.0]}}, ValueError, "is given as"),
        ({"shift_range": {"kind": "mass", "scale": 2.0}}, ValueError, "must vary in a setting"),
        (
            {"shift_range": {"kind": "mas", "scale": [1.0, 2.0]}},
            ValueError,
            "Unknown shift kind 'mas'. Did you mean 'mass'",
        ),
        ({"shift_range": 3}, TypeError, "`shift_range` is a list of shifts"),
        ({"shift_range": [3]}, TypeError, "`shift_range` is a list of shifts"),
        (
            {"shift_range": {"kind": "mass", "scale": {"law": "cyclic"}}},
            ValueError,
            "Unknown law of `shift_range` 'cyclic'",
        ),
        ({"shift_schedule": {"kind": "mass", "scale": [1.0, 2.0]}}, ValueError, "is given as"),
        (
            {"shift_schedule": {"kind": "mass", "scale": {"law": "cyclic", "low": 1, "high": 2}}},
            TypeError,
            "needs `period`",
        ),
        (
            {"shift_schedule": {"kind": "mass", "scale": {"law": "step_change", "levels": [], "episodes": []}}},
            ValueError,
            "A schedule needs steps; `levels` is empty",
        ),
        (
            {"shift_schedule": {"kind": "mass", "scale": {"law": "constant", "levl": 2.0}}},
            ValueError,
            "Unknown setting of the law constant 'levl'. Did you mean 'level'",
        ),
        ({"observe_shift": True}, ValueError, "`observe_shift` needs shifts that vary"),
        ({"shift_range": {"kind": "obstacle", "x": [1.0, 2.0]}}, ValueError, "must keep the size of the model"),
        ({"shift": {"kind": "mass", "scale": 2.0}, "shift_range": MASS}, ValueError, "must not write the same field"),
        ({"shift_change": {"step": 1}}, TypeError, "`shift_change` is a list such as"),
        ({"shift_change": [{"step": 1}]}, TypeError, "`shift_change` is a list such as"),
        ({"shift_change": [{"step": 0, "shift": []}]}, ValueError, "`step` must be an integer >= 1"),
        (
            {"shift_change": [{"step": 5, "shift": []}, {"step": 5, "shift": []}]},
            ValueError,
            r"Changes come in order, each at its own step; got steps \[5, 5\]",
        ),
        (
            {"shift_change": [{"step": 5, "shift": {"kind": "limb", "bodies": ["leg"], "length": 2.0}}]},
            ValueError,
            "must leave the robot's shape",
        ),
        (
            {
                "shift_range": {"kind": "velocity", "goal": [1.0, 2.0]},
                "shift": {"kind": "direction", "heading": "backward"},
            },
            ValueError,
            "Two shifts must not write the same field",
        ),
    ],
)
def test_bad_variations_say_what_is_wrong(keywords: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make(**keywords)


@pytest.mark.parametrize(
    ("law", "settings", "message"),
    [
        (Uniform, {"low": 1.0, "high": float("inf")}, "`high` must be finite"),
        (LogUniform, {"low": 0.0, "high": 1.0}, "`low` must be finite and > 0"),
        (Constant, {"level": float("nan")}, "`level` must be finite"),
        (RandomWalk, {"low": 0.0, "high": 1.0, "std": 0.0}, "A random walk takes steps"),
        (RandomWalk, {"low": 0.0, "high": 1.0, "std": 0.1, "start": 2.0}, "`start` must lie within"),
        (StepChange, {"levels": (1.0, 2.0), "episodes": (0,)}, "Each level has its first episode"),
        (StepChange, {"levels": (1.0, 2.0), "episodes": (0, 0)}, "`episodes` start at 0 and grow"),
        (Cyclic, {"low": 0.0, "high": 1.0, "period": 1}, "`period` must be an integer >= 2"),
    ],
)
def test_bad_laws_say_what_is_wrong(law: type, settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        law(**settings)


def test_shifts_of_one_kind_have_names_of_their_own() -> None:
    parts = [{"kind": "mass", "body": body, "scale": [1.0, 2.0]} for body in ("foot", "leg")]
    assert VaryingShifts(parts).names == ("mass.foot.scale", "mass.leg.scale")
