"""Pairs: each target differs from its source in the named fields, and in nothing else."""

import json
from collections.abc import Callable
from functools import partial

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import shifts
from transreward_envs import METHODS, PAIRS, ROBOTS, SUITES, Pair, get_pair, get_suite, make_pair, register_pair
from transreward_envs.differences import added_geoms, differing_fields, pair_differences
from transreward_envs.methods import training_methods
from transreward_envs.shifts import MassShift, Shift, WindShift

MASS = {"body_mass", "body_inertia", "actuator_acc0", "body_invweight0", "body_subtreemass", "dof_M0"}
MASS |= {"dof_invweight0", "stat.meaninertia", "stat.meanmass", "cam_poscom0", "light_poscom0", "tendon_invweight0"}
INERTIA = {"dof_armature", "dof_M0", "dof_invweight0", "body_invweight0", "actuator_acc0", "stat.meaninertia"}
SHAPE = {*MASS, "geom_size", "geom_pos", "geom_quat", "geom_aabb", "geom_rbound", "geom_sameframe"}
SHAPE |= {"body_pos", "body_ipos", "body_iquat", "body_sameframe", "body_simple", "jnt_pos", "qpos0", "qpos_spring"}
SHAPE |= {"bvh_aabb", "bvh_nodeid", "cam_pos0", "light_pos0", "dof_length", "dof_simplenum", "key_qpos", "site_pos"}
SHAPE |= {"stat.center", "stat.extent", "stat.meansize", "tendon_length0", "tendon_lengthspring", "actuator_length0"}
FINGER = {"geom_aabb", "geom_quat", "geom_rbound", "mesh_normal", "mesh_pos", "mesh_quat", "mesh_scale", "mesh_vert"}
FINGER |= {"bvh_aabb", "bvh_nodeid", "dof_length", "body_invweight0", "dof_M0", "dof_invweight0", "actuator_acc0"}
FINGER |= {"cam_poscom0", "light_poscom0", "stat.meaninertia", "stat.meansize", "tendon_invweight0"}
SETTINGS = {"action delay", "action repeat", "action noise", "time limit", "observation noise", "reward", "geom"}
FIELDS: dict[str, tuple[set[str], set[str]]] = {
    "mass": ({"body_mass", "body_inertia"}, MASS),
    "friction": ({"geom_friction"}, set()),
    "frictionodrl": ({"geom_friction"}, set()),
    "gravity": ({"opt.gravity"}, set()),
    "damping": ({"dof_damping"}, set()),
    "armature": ({"dof_armature"}, INERTIA),
    "stiffness": ({"jnt_stiffness"}, set()),
    "actuator": ({"actuator_gear"}, {"actuator_acc0"}),
    "broken": ({"actuator_gear"}, {"actuator_acc0"}),
    "joint_range": ({"jnt_range"}, set()),
    "limb": ({"geom_size"}, SHAPE),
    "link": ({"geom_size"}, SHAPE),
    "obstacle": ({"ngeom", "geom"}, {"stat.center", "stat.extent"}),
    "maze": ({"geom"}, {"ngeom", "stat.center", "stat.extent", "stat.meansize"}),
    "finger": ({"body_pos", "body_ipos", "geom_size", "geom_pos", "site_pos", "site_size"}, FINGER),
    "wind": ({"opt.wind"}, {"opt.density"}),
    "timestep": ({"opt.timestep", "time limit"}, set()),
    "noise": ({"action noise"}, set()),
    "delay": ({"action delay"}, set()),
    "repeat": ({"action repeat", "time limit"}, set()),
    "observation_noise": ({"observation noise"}, set()),
    "direction": ({"reward"}, set()),
    "velocity": ({"reward"}, set()),
    "sparse": ({"reward"}, set()),
}
"""What each kind of shift changes, and what may follow, written down apart from the shifts themselves."""

SAME_ROBOT = [pair for pair in PAIRS.values() if pair.source_robot is None]


@pytest.mark.parametrize("pair", SAME_ROBOT, ids=lambda pair: pair.name)
def test_the_compiled_models_differ_in_exactly_the_fields_that_are_shown(pair: Pair) -> None:
    models = [pair.make(role).unwrapped.model for role in ("source", "target")]
    differing = differing_fields(*models, added=added_geoms(pair))
    shown = {row.field for row in pair_differences(pair)}
    kinds = {shift.kind for shift in set(pair.source) ^ set(pair.target)}
    changed = set().union(*(FIELDS[kind][0] for kind in kinds))
    followed = set().union(*(FIELDS[kind][1] for kind in kinds))
    assert changed <= shown <= changed | followed
    assert differing == shown - SETTINGS


@pytest.mark.parametrize("pair", [pair for pair in SAME_ROBOT if pair.target], ids=lambda pair: pair.name)
def test_the_start_of_the_target_is_that_of_the_source(pair: Pair) -> None:
    states = []
    for role in ("source", "target"):
        env = pair.make(role)
        env.reset(seed=0)
        model, data = env.unwrapped.model, env.unwrapped.data
        states.append(np.concatenate([data.qpos - model.qpos0, data.qvel]))
    assert np.allclose(*states, rtol=0.0, atol=1e-12)


def test_the_suites_have_their_pairs() -> None:
    sizes = {suite: len(get_suite(suite)) for suite in SUITES}
    least = {"odrl": 80, "dara": 8, "core": 40, "sparse": 16, "cross": 10, "darc": 4}
    least |= {"antmaze": 18, "adroit": 24, "dmc": 6}
    assert all(sizes[suite] >= size for suite, size in least.items())
    assert sizes["odrl"] == 80
    assert {suite for pair in PAIRS.values() for suite in pair.suites} == set(SUITES)
    with pytest.raises(ValueError, match="Unknown suite 'odlr'. Did you mean 'odrl'"):
        get_suite("odlr")


def test_every_robot_has_pairs() -> None:
    assert {pair.robot for pair in PAIRS.values()} == set(ROBOTS)


def test_a_pair_across_robots_has_domains_and_the_methods_that_act_in_the_target() -> None:
    pair = get_pair("Walker2d-from-Hopper")
    assert pair.make("source").observation_space.shape == (11,)
    assert pair.make("target").observation_space.shape == (17,)
    assert Pair.from_json(json.loads(json.dumps(pair.to_json()))).to_json() == pair.to_json()
    assert [row.field for row in pair_differences(pair)] == ["robot"]
    assert pair.id("target") in gym.registry
    assert training_methods(pair) == [name for name, method in METHODS.items() if method.acts_in == "target"]
    for name in METHODS:
        assert (pair.id(name) in gym.registry) == (name in training_methods(pair))


@pytest.mark.parametrize("make", [gym.make, partial(gym.make_vec, num_envs=2)])
@pytest.mark.parametrize("method", [name for name, method in METHODS.items() if method.acts_in == "both"])
def test_a_method_that_acts_in_both_domains_refuses_two_robots(method: str, make: Callable) -> None:
    across = get_pair("Walker2d-from-Hopper").to_json()
    message = (
        "those of 'Walker2d-from-Hopper' are Hopper and Walker2d. Choose a method that acts in the target alone: rew"
    )
    with pytest.raises(ValueError, match=message):
        make(f"TransReward/Walker2d-mass-2.0-{method}-v0", pair=across)


def test_a_pair_written_by_a_newer_version_is_refused() -> None:
    data = {**get_pair("Hopper-gravity-2.0").to_json(), "format": 2}
    with pytest.raises(ValueError, match="A pair's format must be at most 1; got 2, written by a newer transreward"):
        Pair.from_json(data)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"format": "2"}, TypeError, "`format` must be an integer"),
        ({"observ_actions": 2}, TypeError, "Unknown key of a pair 'observ_actions'. Did you mean 'observe_actions'"),
        ({"settings": {"shift": []}}, ValueError, "`settings` are keywords of the robot in both domains; 'shift'"),
    ],
)
def test_a_bad_description_says_what_is_wrong(changes: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Pair.from_json({**get_pair("Hopper-gravity-2.0").to_json(), **changes})


def test_a_pair_takes_json_and_the_order_of_shifts_is_no_difference() -> None:
    mass, friction = {"kind": "mass", "scale": 2.0}, {"kind": "friction", "scale": 2.0}
    assert Pair(robot="Hopper", name="x", target=[mass]).target == (MassShift(scale=2.0),)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="A pair's domains must differ"):
        make_pair("Hopper", [mass, friction], source=[friction, mass])


def test_a_name_that_no_id_can_hold_is_refused_and_leaves_no_trace() -> None:
    pair = make_pair("Hopper", {"kind": "gravity", "scale": 3.0}, name="a/b c!", validate=False)
    with pytest.raises(gym.error.Error, match="Malformed"):
        register_pair(pair)
    assert pair.name not in PAIRS


def test_a_shorter_time_step_takes_more_steps_for_the_same_simulated_time() -> None:
    pair = get_pair("HalfCheetah-timestep-0.5")
    assert (pair.max_episode_steps("source"), pair.max_episode_steps("target")) == (1000, 2000)
    assert pair.make("target").unwrapped.dt == pytest.approx(pair.make("source").unwrapped.dt / 2)


def test_settings_of_the_robot_reach_both_domains() -> None:
    pair = make_pair("HalfCheetah", {"kind": "gravity", "scale": 2.0}, settings={"ctrl_cost_weight": 0.5})
    assert [pair.make(role).unwrapped._ctrl_cost_weight for role in ("source", "target")] == [0.5, 0.5]
    assert Pair.from_json(json.loads(json.dumps(pair.to_json()))) == pair


@given(target=st.lists(shifts, min_size=1, max_size=3), source=st.lists(shifts, max_size=1))
def test_a_pair_survives_json(target: list[Shift], source: list[Shift]) -> None:
    if source == target:
        return
    pair = make_pair("Walker2d", target, source=source, validate=False)
    assert Pair.from_json(json.loads(json.dumps(pair.to_json()))) == pair


def test_a_pair_with_repeats_lasts_the_same_simulated_time_in_both_domains() -> None:
    pair = get_pair("Hopper-repeat-4to2")
    assert (pair.max_episode_steps("source"), pair.max_episode_steps("target")) == (250, 500)
    assert pair.make("source").spec.max_episode_steps == 250


def test_any_level_can_be_made() -> None:
    pair = make_pair("Ant", {"kind": "friction", "scale": 1.25})
    assert pair.name == "Ant-friction-1.25"
    target = pair.make("target")
    target.reset(seed=0)
    assert target.unwrapped.shifts[0].scale == 1.25


def test_the_delay_of_a_pair_is_observed_unless_it_is_hidden() -> None:
    delay = {"kind": "delay", "steps": 2}
    assert not make_pair("Hopper", delay).hides_actions
    assert make_pair("Hopper", delay, observe_actions=1).hides_actions


@pytest.mark.parametrize(
    ("source", "target"),
    [((), ()), ((), (MassShift(scale=1.0),)), ((MassShift(scale=2.0),), (MassShift(scale=2.0),))],
)
def test_a_pair_of_equal_domains_is_an_error(source: tuple[Shift, ...], target: tuple[Shift, ...]) -> None:
    with pytest.raises(ValueError, match="A pair's domains must differ"):
        make_pair("Hopper", target, source=source)


def test_a_shift_that_changes_nothing_is_found_when_the_pair_is_made() -> None:
    with pytest.raises(ValueError, match="needs a robot with contacts"):
        make_pair("InvertedPendulum", {"kind": "friction", "scale": 2.0})


def test_unknown_pairs_and_roles_get_a_suggestion() -> None:
    with pytest.raises(ValueError, match="Unknown pair 'Hopper-gravty-2.0'. Did you mean 'Hopper-gravity-2.0'"):
        get_pair("Hopper-gravty-2.0")
    with pytest.raises(ValueError, match="Unknown role 'sourc'. Did you mean 'source'"):
        get_pair("Hopper-gravity-2.0").shifts("sourc")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ({"kind": "gravity", "scale": 1.0 + 1e-13}, ()),
        ({"kind": "noise", "half_width": 0.1, "dimension": 2}, {"kind": "noise", "half_width": 0.1, "dimension": -1}),
    ],
)
def test_a_pair_that_compiles_to_the_same_is_found_when_it_is_made(source, target) -> None:
    with pytest.raises(ValueError, match="something differs: expected yes"):
        make_pair("Hopper", target, source=source)


def test_noise_in_one_dimension_is_shown_as_such() -> None:
    noise = [{"kind": "noise", "half_width": 0.1, "dimension": dimension} for dimension in (0, 1)]
    (row,) = pair_differences(make_pair("Hopper", noise[1], source=noise[0]))
    assert (row.source, row.target) == ("U(+-[0.1, 0, 0])", "U(+-[0, 0.1, 0])")


def test_delays_on_both_sides_are_observed_up_to_the_longer() -> None:
    delays = [{"kind": "delay", "steps": steps} for steps in (1, 3)]
    assert make_pair("Hopper", delays[1], source=delays[0]).observe_actions == 3


def test_a_pair_of_ones_own_is_registered_under_its_own_name() -> None:
    pair = make_pair("Hopper", {"kind": "gravity", "scale": 3.0})
    try:
        register_pair(pair)
        env = gym.make("TransReward/Hopper-gravity-3.0-target-v0")
        assert env.unwrapped.model.opt.gravity[2] == pytest.approx(-29.43)
        assert gym.make("TransReward/Hopper-gravity-3.0-mixture-v0").spec.kwargs["pair"] == pair.to_json()
        register_pair(pair)
        with pytest.raises(ValueError, match="'Hopper-gravity-2.0' is taken by another pair"):
            register_pair(make_pair("Hopper", {"kind": "gravity", "scale": 3.0}, name="Hopper-gravity-2.0"))
    finally:
        PAIRS.pop(pair.name)
        for env_id in [env_id for env_id in gym.registry if pair.name in env_id]:
            del gym.registry[env_id]


@pytest.mark.parametrize("data", [3, {"robot": "Hopper"}])
def test_what_describes_no_pair_is_an_error(data) -> None:
    with pytest.raises(TypeError, match="A pair is given by its name or by"):
        gym.make("TransReward/Hopper-gravity-2.0-mixture-v0", pair=data)


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("Walker2d-delay-3", ("action delay", "0", "3", "steps")),
        ("HalfCheetah-backward", ("reward", "the robot's own", "backward", "")),
        ("Ant-obsnoise-0.05", ("observation noise", "the robot's own", "obsnoise-0.05", "")),
    ],
)
def test_shifts_without_fields_are_shown_all_the_same(name: str, row: tuple[str, ...]) -> None:
    rows = pair_differences(get_pair(name))
    assert [(one.field, one.source, one.target, one.unit) for one in rows] == [row]


def test_a_shift_without_effect_is_found_when_the_pair_is_made() -> None:
    with pytest.raises(ValueError, match=r"the medium acts on the robot \[N\]: expected yes"):
        make_pair("Swimmer", WindShift(z=5.0))


@pytest.mark.parametrize(
    ("robot", "shift", "message"),
    [
        ("Swimmer", {"kind": "gravity", "scale": 2.0}, "gravity moves; swimmer moves across it"),
        ("Reacher", {"kind": "gravity", "scale": 2.0}, "gravity moves; reacher moves across it"),
        ("Swimmer", {"kind": "obstacle", "x": -0.5}, "bumps into things; no part of swimmer does"),
        ("Reacher7", {"kind": "obstacle", "x": -0.5}, "bumps into things; no part of reacher7 does"),
    ],
)
def test_a_shift_that_cannot_act_is_refused_by_gymnasium_make(robot: str, shift: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gym.make(f"TransReward/{robot}-v0", shift=shift)


def test_a_pair_equals_itself_read_again() -> None:
    settings = {"healthy_z_range": (0.5, 2.0)}
    own = make_pair("Hopper", {"kind": "mass", "scale": 2.0}, settings=settings, validate=False)
    for pair in (*PAIRS.values(), own):
        again = Pair.from_json(json.loads(json.dumps(pair.to_json())))
        assert again == pair
        assert hash(again) == hash(pair)
    register_pair(Pair.from_json(get_pair("Hopper-friction-0.1").to_json()))
    assert get_pair("Hopper-friction-0.1").suites


def test_a_pair_across_robots_has_two() -> None:
    with pytest.raises(ValueError, match="A pair's domains must differ"):
        Pair(robot="Hopper", source_robot="Hopper", name="Hopper-from-Hopper")
