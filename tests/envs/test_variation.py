"""Shifts that vary: ranges at reset, schedules over episodes, changes within one."""

import copy
import pickle

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import scales
from transreward_envs.differences import differing_fields
from transreward_envs.robots.model import load_model
from transreward_envs.shifts import parse_shifts
from transreward_envs.variation import VaryingShifts

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
    fixed = make("HalfCheetah", shift=[{"kind": "velocity", "goal": goal}, {"kind": "repeat", "times": int(times)}])
    fixed.reset(seed=0)
    action = np.full(6, 0.5, dtype=np.float32)
    (_, found, _, _, info), (_, expected, _, _, stated) = env.step(action), fixed.step(action)
    assert env.unwrapped.data.time == pytest.approx(0.05 * times)
    assert found == expected
    assert info["reward_forward"] == stated["reward_forward"]
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


def test_shifts_of_one_kind_have_names_of_their_own() -> None:
    parts = [{"kind": "mass", "body": body, "scale": [1.0, 2.0]} for body in ("foot", "leg")]
    assert VaryingShifts(parts).names == ("mass.foot.scale", "mass.leg.scale")


def test_a_setting_draws_the_same_whatever_else_varies() -> None:
    alone, beside = make(shift_range=MASS), make(shift_range=[GRAVITY, MASS])
    for seed in (0, None, None):
        (_, one), (_, two) = alone.reset(seed=seed), beside.reset(seed=seed)
        assert one["shift/mass.scale"] == two["shift/mass.scale"]


def test_a_change_keeps_the_robots_shape_and_what_stands_around_it() -> None:
    wall = {"kind": "obstacle", "x": 4.0}
    limb = {"kind": "limb", "bodies": ["bfoot"], "length": 0.5}
    change = {"step": 2, "shift": {"kind": "friction", "scale": 0.5}}
    env = make("HalfCheetah", shift=[wall, limb], shift_change=change).unwrapped
    env.reset(seed=0)
    shape = env.model.geom_size.copy()
    for _ in range(4):
        env.step(np.zeros(6, dtype=np.float32))
    assert env.model.ngeom == 10
    assert np.array_equal(env.model.geom_size, shape)
    assert env.model.geom("floor").friction[0] == pytest.approx(0.2)


def test_a_delay_that_comes_in_executes_past_actions_whatever_is_observed() -> None:
    executed = []
    for observed in (0, 2):
        change = {"step": 4, "shift": {"kind": "delay", "steps": 2}}
        env = make("HalfCheetah", shift_change=change, observe_actions=observed).unwrapped
        env.reset(seed=0)
        controls = []
        for step in range(8):
            env.step(np.full(6, 0.1 * (step + 1), dtype=np.float32))
            controls.append(round(float(env.data.ctrl[0]), 3))
        executed.append(controls)
    assert executed[0] == executed[1] == [0.1, 0.2, 0.3, 0.4, 0.3, 0.4, 0.5, 0.6]


def test_values_never_leave_their_bounds_by_rounding() -> None:
    law = {"law": "cyclic", "low": 0.15, "high": 0.45, "period": 2}
    env = make(shift_schedule={"kind": "mass", "scale": law}, observe_shift=True)
    for _ in range(4):
        assert env.observation_space.contains(env.reset()[0])


def test_a_walk_over_whole_numbers_walks() -> None:
    law = {"law": "random_walk", "low": 0, "high": 10, "std": 0.5}
    env = make(shift_schedule={"kind": "delay", "steps": law})
    assert len(set(drawn(env, 300, seed=0))) > 6


def test_a_training_id_finds_at_once_what_does_not_go_together_with_its_target() -> None:
    with pytest.raises(ValueError, match="Two shifts must not write the same field"):
        gym.make("TransReward/Hopper-friction-2.0-mixture-v0", shift_range={"kind": "friction", "scale": [0.5, 2.0]})
    both = gym.make("TransReward/Hopper-friction-2.0-mixture-v0", shift_range=MASS)
    assert "shift/mass.scale" in both.reset(seed=0)[1]


@pytest.mark.parametrize(
    ("robot", "keywords"),
    [
        ("Hopper", {"shift_range": {"kind": "limb", "bodies": ["leg"], "length": [0.6, 1.4]}}),
        ("Reacher7", {"shift_range": {"kind": "damping", "scale": [0.5, 2.0]}}),
    ],
)
def test_a_copy_that_varies_follows_its_own_model(robot: str, keywords: dict) -> None:
    env = gym.make(f"TransReward/{robot}-v0", disable_env_checker=True, **keywords).unwrapped
    env.reset(seed=1)
    env.step(np.full(env.action_space.shape, 0.3, dtype=np.float32))
    seen = []
    for one in (env, copy.deepcopy(env), pickle.loads(pickle.dumps(env))):
        start, _ = one.reset(seed=3)
        seen.append([start, one.step(np.full(one.action_space.shape, 0.3, dtype=np.float32))[0]])
        assert np.array_equal(one.init_qpos, one.model.qpos0)
    assert np.array_equal(seen[0], seen[1])
    assert np.array_equal(seen[0], seen[2])
