"""Correspondences: what each number of an observation is, and what it is to another robot."""

import json
from dataclasses import replace
from functools import cache
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transreward_envs import Pair, get_pair, make_pair
from transreward_envs.correspondence import (
    Correspondence,
    DomainMap,
    EntryMap,
    Layout,
    common_joints,
    layout_of,
    map_of_pair,
    pair_layouts,
)

ROBOTS = ("Hopper", "Walker2d", "HalfCheetah", "Ant", "Humanoid", "Swimmer", "InvertedPendulum")
LEGS = ("thigh_joint", "leg_joint", "foot_joint")
LEFT = ("thigh_left_joint", "leg_left_joint", "foot_left_joint")
ROOTS = {"rootx": "rootx", "rootz": "rootz", "rooty": "rooty"}


@cache
def domain(robot: str) -> Any:
    env = gym.make(f"TransReward/{robot}-v0").unwrapped
    env.reset(seed=0)
    return env


@cache
def layout(robot: str) -> Layout:
    return layout_of(domain(robot))


def moved(robot: str, field: str, index: int) -> list[int]:
    """Return the observation's entries that move with one number of the simulator's state."""
    env = domain(robot)
    env.set_state(env.init_qpos, np.zeros(env.model.nv))
    before = env._get_obs()
    state = {"qpos": env.init_qpos.copy(), "qvel": np.zeros(env.model.nv)}
    state[field][index] += 1e-3
    env.set_state(state["qpos"], state["qvel"])
    return list(np.flatnonzero(env._get_obs() != before))


@pytest.mark.parametrize("robot", ROBOTS)
@pytest.mark.parametrize(("field", "quantity"), [("qpos", "position"), ("qvel", "velocity")])
def test_an_entry_moves_with_the_joint_that_it_is_said_to_be_of(robot: str, field: str, quantity: str) -> None:
    env, entries = domain(robot), layout(robot).observation
    widths = {"qpos": {"free": 7}, "qvel": {"free": 6}}[field]
    hidden = env.observation_structure.get("skipped_qpos", 0) if field == "qpos" else 0
    for joint in range(env.model.njnt):
        name, address = env.model.joint(joint).name, (env.model.jnt_qposadr, env.model.jnt_dofadr)[field == "qvel"]
        for component in range(widths.get(layout(robot).joints[name], 1)):
            which = moved(robot, field, address[joint] + component)
            stated = [
                index
                for index in which
                if (entries[index].quantity, entries[index].part, entries[index].component)
                == (quantity, name, component)
            ]
            others = [index for index in which if entries[index].quantity == quantity and index not in stated]
            assert len(stated) == (address[joint] + component >= hidden), (name, component)
            assert not others


@pytest.mark.parametrize("robot", ROBOTS)
def test_neutral_values_are_those_of_a_robot_at_rest(robot: str) -> None:
    env = domain(robot)
    mujoco.mj_resetData(env.model, env.data)
    mujoco.mj_forward(env.model, env.data)
    neutral = [entry.neutral for entry in layout(robot).observation]
    assert np.array_equal(env._get_obs(), neutral)
    assert len(layout(robot).action) == env.action_space.shape[0]


@pytest.mark.parametrize("robot", ROBOTS)
def test_an_action_drives_the_joint_that_it_is_said_to_be_of(robot: str) -> None:
    env = domain(robot)
    for index, entry in enumerate(layout(robot).action):
        mujoco.mj_resetData(env.model, env.data)
        env.data.ctrl[index] = env.action_space.high[index]
        mujoco.mj_forward(env.model, env.data)
        driven = np.flatnonzero(env.data.qfrc_actuator)
        assert [env.model.joint(int(env.model.dof_jntid[dof])).name for dof in driven] == [entry.part]
        assert (entry.neutral, entry.unit) == (0.0, env.action_space.high[index])


def test_forces_on_a_body_are_said_to_be_of_the_joint_that_moves_it() -> None:
    env, entries = domain("Ant"), layout("Ant").observation
    for body in range(1, env.model.nbody):
        mujoco.mj_resetData(env.model, env.data)
        env.data.cfrc_ext[body, 2] = 0.5
        (index,) = np.flatnonzero(env._get_obs()[27:]) + 27 - (env._get_obs()[27:].size - 78)
        name = env.model.body(body).name
        joints = [env.model.joint(j).name for j in range(env.model.njnt) if env.model.jnt_bodyid[j] == body]
        assert entries[index].part == (joints[0] if joints else name)
        assert (entries[index].quantity, entries[index].component) == ("cfrc_ext", 2)


def test_what_actuators_do_is_said_to_be_of_the_joint_that_they_drive() -> None:
    env, entries = domain("Humanoid"), layout("Humanoid").observation
    for dof in range(6, env.model.nv):
        mujoco.mj_resetData(env.model, env.data)
        before = env._get_obs()
        env.data.qfrc_actuator[dof] = 0.5
        (index,) = np.flatnonzero(env._get_obs() != before)
        joint = env.model.joint(int(env.model.dof_jntid[dof])).name
        assert (entries[index].quantity, entries[index].part) == ("qfrc_actuator", joint)


def test_past_actions_are_of_the_joints_that_they_drove() -> None:
    source, target = pair_layouts(get_pair("Walker2d-delay-3"))
    past = [entry for entry in target.observation if entry.quantity == "past action"]
    assert [entry.part for entry in past] == [*LEGS, *LEFT] * 3
    assert [entry.component for entry in past] == sorted([0, 1, 2] * 6)
    assert source == target


def test_gymnasiums_own_robots_and_wrapped_ones_have_the_same_layout() -> None:
    stock = layout_of(gym.make("Walker2d-v5"))
    assert (stock.observation, stock.action) == (layout("Walker2d").observation, layout("Walker2d").action)
    assert layout_of(gym.make("TransReward/Walker2d-v0")) == layout("Walker2d")


def test_a_layout_leaves_the_domain_as_it_was() -> None:
    env = gym.make("TransReward/Ant-v0")
    env.reset(seed=0)
    env.step(env.action_space.sample())
    data = env.unwrapped.data
    before = data.qpos.copy(), data.qvel.copy(), data.cfrc_ext.copy()
    layout_of(env)
    assert all(np.array_equal(*both) for both in zip(before, (data.qpos, data.qvel, data.cfrc_ext), strict=True))


def map_between(source: str, target: str, **settings: Any) -> DomainMap:
    """Return the map by joint names, or by what is given."""
    if not settings:
        return Correspondence.by_joint_names(domain(source), domain(target)).between(layout(source), layout(target))
    return Correspondence(**settings).between(layout(source), layout(target))


def observed(robot: str, **positions: float) -> np.ndarray:
    """Return what a robot observes at rest, but for some of its joints' positions."""
    env = domain(robot)
    qpos = env.init_qpos.copy()
    for joint, position in positions.items():
        qpos[env.model.joint(joint).qposadr[0]] = position
    env.set_state(qpos, np.zeros(env.model.nv))
    return env._get_obs()


def test_a_walker_is_to_a_hopper_its_body_and_right_leg() -> None:
    right = {"rootz": 1.1, "rooty": 0.2, "thigh_joint": -0.3, "leg_joint": -0.5, "foot_joint": 0.4}
    walker = observed("Walker2d", **right, thigh_left_joint=-0.7, foot_left_joint=0.1)
    there = map_between("Hopper", "Walker2d")
    assert np.array_equal(there.observation(walker), observed("Hopper", **right))
    assert np.array_equal(there.action([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]), [0.1, 0.2, 0.3])
    assert not there.lossless
    assert there.action.mapped.all()


def test_a_hopper_is_to_a_walker_one_whose_left_leg_hangs_still() -> None:
    pose = {"rootz": 1.1, "rooty": 0.2, "thigh_joint": -0.3, "leg_joint": -0.5, "foot_joint": 0.4}
    there = map_between("Walker2d", "Hopper")
    assert np.array_equal(there.observation(observed("Hopper", **pose)), observed("Walker2d", **pose))
    assert np.array_equal(there.action([0.1, 0.2, 0.3]), [0.1, 0.2, 0.3, 0.0, 0.0, 0.0])
    assert list(there.action.mapped) == [True] * 3 + [False] * 3
    assert there.lossless


def test_an_action_is_lost_where_its_joint_corresponds_to_one_that_nothing_drives() -> None:
    joints = {**ROOTS, "rooty": "thigh_joint", "thigh_joint": "rooty", "leg_joint": "leg_joint"}
    there = map_between("Walker2d", "Hopper", joints={**joints, "foot_joint": "foot_joint"})
    assert there.observation.used.all()
    assert there.action.used.tolist() == [False, True, True]
    assert not there.lossless


def test_joints_of_one_name_and_two_kinds_do_not_correspond() -> None:
    other = replace(layout("Hopper"), joints={**layout("Hopper").joints, "leg_joint": "slide"})
    assert "leg_joint" not in Correspondence.by_joint_names(other, layout("Walker2d")).joints


def test_the_left_leg_may_be_named_instead_turned_scaled_and_filled_in() -> None:
    joints = {**ROOTS, **dict(zip(LEFT, LEGS, strict=True))}
    left = map_between("Hopper", "Walker2d", joints=joints, scales={"foot_left_joint": -2.0})
    walker = observed("Walker2d", thigh_joint=-0.9, thigh_left_joint=-0.7, foot_left_joint=0.1)
    assert np.allclose(left.observation(walker), observed("Hopper", thigh_joint=-0.7, foot_joint=-0.2))
    assert np.allclose(left.action([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]), [0.4, 0.5, -0.6])
    joints = {**ROOTS, "thigh_joint": "thigh_joint"}
    filled = map_between("Walker2d", "Hopper", joints=joints, fills={"leg_left_joint": -0.4})
    expected = observed("Walker2d", thigh_joint=-0.3, leg_left_joint=-0.4)
    assert np.array_equal(filled.observation(observed("Hopper", thigh_joint=-0.3, foot_joint=0.2)), expected)


def test_positions_count_from_each_robots_own_rest_and_actions_as_shares_of_their_range() -> None:
    there = map_between("Walker2d", "HalfCheetah", joints={**ROOTS, "bthigh": "thigh_joint"})
    cheetah = observed("HalfCheetah", rootz=-0.15, bthigh=0.5)
    crouching = map_between("Hopper", "Walker2d", joints=ROOTS, scales={"rootz": 2.0})
    assert np.allclose(crouching.observation(observed("Walker2d", rootz=1.15)), observed("Hopper", rootz=1.05))
    assert np.allclose(there.observation(cheetah), observed("Walker2d", rootz=1.1, thigh_joint=0.5))
    shares = map_between("Humanoid", "Ant", joints={"hip_1": "right_knee"}).action
    assert np.allclose(shares(np.ones(8))[shares.mapped], domain("Humanoid").action_space.high[0])


@pytest.mark.parametrize("robot", ROBOTS)
def test_a_robot_is_itself_by_joint_names(robot: str) -> None:
    same = map_between(robot, robot)
    generator = np.random.default_rng(0)
    sizes = same.target_sizes
    assert sizes == same.source_sizes
    for size, one in zip(sizes, (same.observation, same.action), strict=True):
        values = generator.standard_normal((5, size))
        assert np.array_equal(one(values), values)
    assert same.lossless


def test_what_bodies_feel_follows_the_joints() -> None:
    legs = {f"{part}_{leg}": f"{part}_{leg % 4 + 1}" for part in ("hip", "ankle") for leg in range(1, 5)}
    turned = map_between("Ant", "Ant", joints={"root": "root", **legs})
    felt = np.zeros(105)
    places = {(one.quantity, one.part, one.component): i for i, one in enumerate(layout("Ant").observation)}
    felt[places["cfrc_ext", "ankle_1", 2]] = 0.5
    assert np.flatnonzero(turned.observation(felt)).tolist() == [places["cfrc_ext", "ankle_2", 2]]


@st.composite
def correspondences(draw: st.DrawFn) -> tuple[Correspondence, str, str]:
    """Draw any correspondence of some hinges of two robots."""
    source, target = draw(st.sampled_from(ROBOTS[:5])), draw(st.sampled_from(ROBOTS[:5]))
    hinges = [[name for name, kind in layout(one).joints.items() if kind == "hinge"] for one in (source, target)]
    count = draw(st.integers(1, min(map(len, hinges))))
    theirs, ours = (draw(st.permutations(names))[:count] for names in hinges)
    scales = st.floats(0.1, 10.0) | st.floats(-10.0, -0.1)
    left = [name for name in hinges[0] if name not in theirs]
    chosen = Correspondence(
        joints=dict(zip(ours, theirs, strict=True)),
        scales=draw(st.dictionaries(st.sampled_from(ours), scales)),
        fills=draw(st.dictionaries(st.sampled_from(left), st.floats(-1.0, 1.0))) if left else {},
    )
    return chosen, source, target


@given(drawn=correspondences(), seed=st.integers(0, 1000))
def test_what_goes_over_comes_back(drawn: tuple[Correspondence, str, str], seed: int) -> None:
    chosen, source, target = drawn
    there, back = chosen.between(layout(source), layout(target)), chosen.inverse.between(layout(target), layout(source))
    assert there.round_trip_error(back, seed=seed) < 1e-9
    assert back.round_trip_error(there, seed=seed) < 1e-9
    for one, other in ((there.observation, back.observation), (there.action, back.action)):
        assert np.array_equal(one.used, other.mapped)
        assert np.array_equal(one.mapped, other.used)
    assert there.lossless == (there.observation.used.all() and there.action.used.all())


@given(drawn=correspondences(), seed=st.integers(0, 1000), weight=st.floats(-2.0, 2.0))
def test_a_map_is_affine_and_a_batch_is_its_rows(
    drawn: tuple[Correspondence, str, str], seed: int, weight: float
) -> None:
    chosen, source, target = drawn
    there, generator = chosen.between(layout(source), layout(target)), np.random.default_rng(seed)
    for one in (there.observation, there.action):
        first, second = generator.standard_normal((2, 4, one.input_size))
        mixed = one(weight * first + (1.0 - weight) * second)
        assert np.allclose(mixed, weight * one(first) + (1.0 - weight) * one(second), atol=1e-9)
        assert np.array_equal(one(first), [one(row) for row in first])
        assert np.array_equal(one(first[None]), one(first)[None])
        assert np.array_equal(one(first)[:, ~one.mapped], np.tile(one.fill[~one.mapped], (4, 1)))
        assert not np.isin(one(first)[:, one.mapped], one.fill).any()


@given(drawn=correspondences())
def test_a_correspondence_survives_json_and_two_inversions(drawn: tuple[Correspondence, str, str]) -> None:
    chosen = drawn[0]
    assert Correspondence.from_json(json.loads(json.dumps(chosen.to_json()))) == chosen
    again = chosen.inverse.inverse
    assert again.joints == chosen.joints
    assert again.scales == pytest.approx(chosen.scales)


def test_a_pair_of_one_robot_needs_no_map_unless_one_is_given() -> None:
    assert map_of_pair(get_pair("Ant-lame-leg")) is None
    assert map_of_pair(get_pair("Ant-lame-leg"), "joints").lossless
    across = map_of_pair(get_pair("Walker2d-from-Hopper"))
    assert (across.source_sizes, across.target_sizes) == ((11, 3), (17, 6))
    by_hand = map_of_pair(get_pair("Walker2d-from-Hopper"), {"joints": {"leg_left_joint": "leg_joint"}})
    assert by_hand.action.mapped.tolist() == [False, True, False]


def test_the_rest_pose_is_that_of_the_shifted_robot() -> None:
    taller = make_pair("Hopper", {"kind": "limb", "bodies": ["leg"], "length": 1.3}, validate=False)
    source, target = pair_layouts(taller)
    heights = [next(one.neutral for one in side.observation if one.part == "rootz") for side in (source, target)]
    assert heights[1] > heights[0] == 1.25
    there = map_of_pair(taller, "joints").observation
    assert there([entry.neutral for entry in target.observation])[0] == pytest.approx(1.25)


def test_a_pair_with_delays_maps_past_actions_too() -> None:
    pair = Pair(robot="Walker2d", name="late", source_robot="Hopper", observe_actions=2)
    there = map_of_pair(pair).observation
    assert (there.input_size, there.output_size) == (17 + 12, 11 + 6)
    values = np.arange(29.0)
    assert there(values)[11:].tolist() == [17.0, 18.0, 19.0, 23.0, 24.0, 25.0]


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"joints": {}}, ValueError, "names at least one joint; `joints` is empty"),
        ({"joints": ["thigh_joint"]}, TypeError, r"`joints` is a mapping from names of joints; got \['thigh_joint'\]"),
        ({"joints": {"leg_joint": 3}}, TypeError, "`joints` is a mapping to names of joints; got 3"),
        (
            {"joints": {"leg_joint": "leg_joint", "leg_left_joint": "leg_joint"}},
            ValueError,
            "'leg_joint' is that of 'leg_joint' and 'leg_left_joint'. Keep one",
        ),
        ({"joints": {"leg_jont": "leg_joint"}}, ValueError, "Unknown joint of Walker2d 'leg_jont'. Did you mean 'leg"),
        ({"joints": {"leg_joint": "leg_jont"}}, ValueError, "Unknown joint of Hopper 'leg_jont'. Did you mean 'leg_"),
        ({"joints": {"leg_joint": "rootx"}}, ValueError, "'leg_joint' of Walker2d is a hinge joint, 'rootx' of Hopper"),
        ({"joints": ROOTS, "scales": {"rooty": 0.0}}, ValueError, "must not be 0, which loses it; got 0 for 'roo"),
        ({"joints": ROOTS, "scales": {"rooty": np.nan}}, ValueError, r"`scales\['rooty'\]` must be finite; got nan"),
        ({"joints": ROOTS, "scales": {"rooty": "1"}}, TypeError, r"`scales\['rooty'\]` must be a number; got '1'"),
        ({"joints": ROOTS, "scales": {"roty": 1.0}}, ValueError, "Unknown joint in `scales` 'roty'. Did you mean 'roo"),
        ({"joints": ROOTS, "fills": {"leg_joint": np.nan}}, ValueError, r"`fills\['leg_joint'\]` must be finite"),
        ({"joints": ROOTS, "fills": {"leg_jont": 0.1}}, ValueError, "Unknown joint of Hopper 'leg_jont'"),
        ({"joints": ROOTS, "fills": {"rootz": 0.1}}, ValueError, "no joint corresponds to; 'rootz' is in `joints` too"),
    ],
)
def test_a_bad_correspondence_says_what_is_wrong(settings: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        map_between("Hopper", "Walker2d", **settings)


def test_a_free_joint_is_neither_scaled_nor_filled_in() -> None:
    with pytest.raises(ValueError, match="Hinges and slides have a scale; 'root' of Ant is a free joint"):
        map_between("Ant", "Ant", joints={"root": "root"}, scales={"root": -1.0})
    with pytest.raises(ValueError, match="Hinges and slides have a fill; 'root' of Ant is a free joint"):
        map_between("Ant", "Ant", joints={"hip_1": "hip_1"}, fills={"root": 1.0})


@pytest.mark.parametrize(
    ("given_as", "error", "message"),
    [
        ("names", ValueError, "Unknown correspondence 'names'"),
        (Correspondence(joints=ROOTS), TypeError, "`correspondence` is 'joints', the dict that"),
        ({"joint": {}}, TypeError, "A correspondence is given as JSON"),
        ({"joints": ROOTS, "signs": {}}, TypeError, "Unknown key of a correspondence 'signs'"),
    ],
)
def test_a_bad_keyword_says_what_is_wrong(given_as: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        map_of_pair(get_pair("Walker2d-from-Hopper"), given_as)


def test_robots_without_joints_in_common_or_in_sight_are_refused() -> None:
    with pytest.raises(ValueError, match="Ant has root, .*, Hopper has rootx, .*. Name them by hand"):
        Correspondence.by_joint_names(domain("Hopper"), domain("Ant"))
    assert common_joints(layout("Walker2d"), layout("HalfCheetah")) == tuple(ROOTS)
    for robot, why in (("Reacher", "it does not say what"), ("Reacher7", "it observes 7 of 10 numbers of 'qpos'")):
        with pytest.raises(ValueError, match=f"{robot} is none: {why}"):
            layout_of(domain(robot))
    varied = gym.make("TransReward/Hopper-v0", shift_range={"kind": "mass", "scale": [1.0, 2.0]}, observe_shift=True)
    with pytest.raises(ValueError, match="it observes 'shift'"):
        layout_of(varied)


def test_maps_of_sizes_that_do_not_fit_are_refused() -> None:
    there = map_between("Hopper", "Walker2d")
    with pytest.raises(ValueError, match=r"takes 17 numbers in the last axis; got shape \(4, 11\)"):
        there.observation(np.zeros((4, 11)))
    with pytest.raises(ValueError, match=r"takes 6 numbers in the last axis; got shape \(\)"):
        there.action(1.0)
    one, two = np.array([0]), np.array([1.0, 1.0])
    parts = {"input_size": 2, "inputs": one, "outputs": one, "scale": two[:1], "offset": two[:1], "fill": two}
    assert EntryMap(**parts)([3.0, 4.0]).tolist() == [4.0, 1.0]
    for changes, message in (
        ({"scale": two}, "Each mapped number has an input, an output, a scale and an offset"),
        ({"fill": np.array([np.nan, 1.0])}, "`fill` must be finite"),
        (
            {name: np.array([0, 0]) for name in ("inputs", "outputs")} | {"scale": two, "offset": two},
            "this map names one twice",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            EntryMap(**{**parts, **changes})
