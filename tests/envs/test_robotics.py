"""Gymnasium-Robotics: ids, specs and copies of mazes and hands, and what holds in a maze."""

import copy
import json
import os
import pickle
import sys
import tempfile
from pathlib import Path

import gymnasium as gym
import mujoco
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env
from hypothesis import given
from hypothesis import strategies as st

from transreward_envs import PAIRS, Pair, get_pair, get_suite, make_pair
from transreward_envs.differences import differing_fields
from transreward_envs.robots import get_robot
from transreward_envs.robots import model as compiled
from transreward_envs.robots.extras import installed
from transreward_envs.shifts import FingerShift, MassShift, MazeShift, parse_shift
from transreward_envs.shifts.layouts import LAYOUTS

needs_robotics = pytest.mark.skipif(not installed("robotics"), reason="needs the extra `robotics`")

MAZES, HANDS = get_suite("antmaze"), get_suite("adroit")
ROBOTS = ("AntMaze", "AdroitPen", "AdroitDoor", "AdroitHammer", "AdroitRelocate")
SAMPLE = ("AntMaze-medium-3-target", "AdroitPen-shrink-finger-hard-target", "AdroitDoor-broken-joint-easy-target")


def make(name: str, **kwargs: object) -> gym.Env:
    return gym.make(f"TransReward/{name}-v0", disable_env_checker=True, **kwargs)


def rollout(env: gym.Env, *, steps: int = 20, episodes: int = 2) -> list[np.ndarray]:
    """Return observations and rewards of random actions in some episodes, the first of them seeded."""
    generator, rows = np.random.default_rng(0), []
    for episode in range(episodes):
        rows.append(env.reset(seed=3 if episode == 0 else None)[0])
        for _ in range(steps):
            action = generator.uniform(env.action_space.low, env.action_space.high).astype(np.float32)
            observation, reward, *_ = env.step(action)
            rows += [observation, np.array([reward])]
    return rows


def same(first: list[np.ndarray], second: list[np.ndarray]) -> bool:
    return all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))


def test_the_suites_hold_eighteen_mazes_and_twenty_four_hands() -> None:
    assert len(MAZES) == 18
    assert len(HANDS) == 24
    assert {get_robot(pair.robot).extra for pair in (*MAZES, *HANDS)} == {"robotics"}
    assert {pair.robot for pair in HANDS} == set(ROBOTS[1:])


def test_time_limits_are_those_of_the_benchmark() -> None:
    for pair in MAZES:
        expected = 700 if "small" in pair.name else 1000
        assert [pair.max_episode_steps(role) for role in ("source", "target")] == [expected] * 2
    assert {pair.max_episode_steps("target") for pair in HANDS} == {200}


@needs_robotics
@pytest.mark.filterwarnings("ignore:.*Box observation space (min|max)imum value is.*")
@pytest.mark.filterwarnings("ignore:.*is different from the unwrapped version.*")
@pytest.mark.parametrize("pair", [*MAZES, *HANDS], ids=lambda pair: pair.name)
def test_a_pair_is_made_steps_and_passes_the_checker_in_equal_spaces(pair: Pair) -> None:
    envs = [gym.make(pair.id(role), disable_env_checker=True) for role in ("source", "target")]
    for role, env in zip(("source", "target"), envs, strict=True):
        check_env(env, skip_render_check=True)
        assert env.unwrapped.shifts == pair.shifts(role)
        assert isinstance(env.unwrapped.data, mujoco.MjData)
    assert envs[0].observation_space == envs[1].observation_space
    assert envs[0].action_space == envs[1].action_space
    assert envs[0].observation_space.dtype == np.float64


@needs_robotics
@pytest.mark.parametrize("robot", ROBOTS)
def test_info_has_the_same_keys_at_reset_and_step(robot: str) -> None:
    env = make(robot, shift={"kind": "repeat", "times": 2})
    at_reset = env.reset(seed=0)[1]
    at_step = env.step(env.action_space.sample())[4]
    assert set(at_reset) == set(at_step)
    assert "success" in at_step


@needs_robotics
@pytest.mark.parametrize("name", SAMPLE)
def test_specs_json_pickle_and_copies_make_the_same_environment_again(name: str) -> None:
    env = make(name)
    through_json = gym.make(EnvSpec.from_json(env.spec.to_json()))
    expected = rollout(env)
    for other in (gym.make(env.spec), through_json, pickle.loads(pickle.dumps(env)), copy.deepcopy(env)):
        assert same(rollout(other), expected)
    assert same(rollout(env), expected)


@given(layout=st.sampled_from(sorted(LAYOUTS)), scale=st.floats(0.05, 2.0))
def test_mazes_and_fingers_survive_json(layout: str, scale: float) -> None:
    for shift in (MazeShift(layout=layout), FingerShift(scale=scale)):
        assert parse_shift(json.loads(json.dumps(shift.to_json()))) == shift


@needs_robotics
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_walls_are_exactly_those_of_the_layout(layout: str) -> None:
    model, rows = make("AntMaze", shift={"kind": "maze", "layout": layout}).unwrapped.model, LAYOUTS[layout]
    boxes = np.flatnonzero(model.geom_type == mujoco.mjtGeom.mjGEOM_BOX.value)
    found = set()
    for box in boxes:
        x, y, z = model.geom_pos[box]
        found.add((len(rows) / 2 - y / 4.0 - 0.5, x / 4.0 + len(rows[0]) / 2 - 0.5))
        assert model.geom_size[box] == pytest.approx([2.0, 2.0, 1.0])
        assert z == 1.0
    assert found == {(i, j) for i, row in enumerate(rows) for j, cell in enumerate(row) if cell == "1"}
    assert len(boxes) == len(found)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_is_closed_and_its_goal_can_be_reached(layout: str) -> None:
    rows = LAYOUTS[layout]
    cells = {(i, j): cell for i, row in enumerate(rows) for j, cell in enumerate(row)}
    assert {len(row) for row in rows} == {len(rows[0])}
    for cell in ("R", "G"):
        assert list(cells.values()).count(cell) == 1
    (start,) = [place for place, cell in cells.items() if cell == "R"]
    reached, border = {start}, [start]
    while border:
        i, j = border.pop()
        beside = [(i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1)]
        assert all(place in cells for place in beside), "the ant walks out"
        fresh = [place for place in beside if cells[place] != "1" and place not in reached]
        reached.update(fresh)
        border += fresh
    assert "G" in {cells[place] for place in reached}


@needs_robotics
@pytest.mark.parametrize("layout", ["small-lshape", "large-4"])
def test_the_ant_in_a_maze_is_gymnasium_robotics_bit_for_bit(layout: str) -> None:
    ant_maze = pytest.importorskip("gymnasium_robotics.envs.maze.ant_maze_v5")
    cells = [[int(cell) if cell in "01" else cell.lower() for cell in row] for row in LAYOUTS[layout]]
    stock = ant_maze.AntMazeEnv(maze_map=cells)
    os.remove(stock.tmp_xml_file_path)
    ours = make("AntMaze", shift={"kind": "maze", "layout": layout})
    assert differing_fields(stock.model, ours.unwrapped.model) == set()
    flat = gym.wrappers.TransformObservation(
        stock,
        lambda parts: np.concatenate([parts[key] for key in ("achieved_goal", "observation", "desired_goal")]),
        ours.observation_space,
    )
    assert same(rollout(flat, steps=100, episodes=3), rollout(ours, steps=100, episodes=3))


@needs_robotics
def test_the_goal_is_rewarded_and_every_repeat_at_it_counts() -> None:
    env = make("AntMaze", shift={"kind": "repeat", "times": 3}, position_noise_range=0.0)
    observation, info = env.reset(seed=0, options={"reset_cell": np.array([1, 3]), "goal_cell": np.array([3, 3])})
    assert observation[:2] == pytest.approx([4.0, 4.0])
    assert observation[-2:] == pytest.approx([4.0, -4.0])
    assert not info["success"]
    still = np.zeros(8, dtype=np.float32)
    assert env.step(still)[1] == 0.0
    position = env.unwrapped.data.qpos.copy()
    position[:2] = env.unwrapped.task.goal
    env.unwrapped.set_state(position, np.zeros(14))
    _, reward, terminated, _, info = env.step(still)
    assert reward == 3.0
    assert info["success"]
    assert not terminated
    episodic = make("AntMaze", continuing_task=False)
    episodic.reset(seed=0)
    position[:2] = episodic.unwrapped.task.goal
    episodic.unwrapped.set_state(position, np.zeros(14))
    assert episodic.step(still)[2]


@needs_robotics
def test_other_shifts_work_in_a_maze_and_draws_of_them_leave_the_start_in_its_cell() -> None:
    shift = [{"kind": "maze", "layout": "medium-1"}, {"kind": "mass", "scale": 2.0}, {"kind": "friction", "scale": 0.5}]
    heavy, plain = make("AntMaze", shift=shift), make("AntMaze", shift=shift[0])
    assert heavy.unwrapped.model.body_mass.sum() == pytest.approx(2.0 * plain.unwrapped.model.body_mass.sum())
    assert heavy.unwrapped.model.geom("block_0_0").friction[0] == pytest.approx(0.5)
    env = make("AntMaze", shift=shift[0], shift_range=[{"kind": "gravity", "scale": [0.5, 2.0]}])
    starts = [env.reset(seed=seed)[0][:2] for seed in range(3)]
    assert np.all(np.abs(np.array(starts) - [-10.0, 10.0]) <= 1.0)
    assert env.unwrapped.model.opt.gravity[2] != -9.81


@needs_robotics
def test_an_ant_without_a_maze_gets_the_smallest() -> None:
    env, mixed = make("AntMaze", shift={"kind": "mass", "scale": 2.0}), make("AntMaze-small-empty-mixture")
    assert env.unwrapped.shifts == (MazeShift(layout="small-0"), MassShift(scale=2.0))
    assert mixed.reset(seed=0)[0].shape == make("AntMaze").observation_space.shape == (109,)
    assert sum(env.unwrapped.observation_structure.values()) == 109


@needs_robotics
def test_a_maze_leaves_no_file_behind() -> None:
    before = set(Path(tempfile.gettempdir()).glob("ant_maze*"))
    env = make("AntMaze")
    env.reset(seed=0)
    env.close()
    assert set(Path(tempfile.gettempdir()).glob("ant_maze*")) <= before


@needs_robotics
@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"shift": {"kind": "maze", "layout": "small-lshap"}}, "Unknown maze layout 'small-lshap'. Did you mean"),
        ({"shift": {"kind": "maze", "layout": ["small-0"]}}, "Unknown maze layout"),
        ({"shift": [{"kind": "maze", "layout": f"medium-{i}"} for i in (1, 2)]}, "must not write the same field"),
        ({"shift": {"kind": "direction", "heading": "backward"}}, "rewarded for running; AntMaze is not"),
        ({"shift_range": {"kind": "velocity", "goal": [1.0, 3.0]}}, "rewarded for running; AntMaze is not"),
        ({"shift_change": [{"step": 5, "shift": []}]}, "AntMaze has no `shift_change`"),
        ({"reward_type": "spars"}, "`reward_type` must be 'sparse' or 'dense'; got 'spars'"),
    ],
)
def test_bad_mazes_say_what_is_wrong(kwargs: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make("AntMaze", **kwargs)


@needs_robotics
def test_a_wall_that_is_missing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def with_a_gap(shift: MazeShift, spec: mujoco.MjSpec, nominal: mujoco.MjModel) -> None:
        edit(shift, spec, nominal)
        spec.delete(spec.geom("block_0_1"))

    edit, pair = MazeShift.edit, get_pair("AntMaze-small-empty")
    monkeypatch.setattr(MazeShift, "edit", with_a_gap)
    compiled._compile.cache_clear()
    try:
        assert "height of each cell" in " ".join(check.what for check in pair.verify().failures)
    finally:
        compiled._compile.cache_clear()


def test_a_maze_in_one_domain_alone_is_an_error() -> None:
    with pytest.raises(ValueError, match="Both domains of a pair have a maze, or neither; only the target of"):
        make_pair("AntMaze", {"kind": "maze", "layout": "medium-1"})
    with pytest.raises(ValueError, match="A maze shift needs AntMaze; hopper has no goal"):
        make("Hopper", shift={"kind": "maze", "layout": "medium-1"})


def test_a_missing_extra_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [module for module in sys.modules if module.startswith("gymnasium_robotics")]:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, "gymnasium_robotics", None)
    for module in ("ant_maze", "adroit"):
        monkeypatch.delitem(sys.modules, f"transreward_envs.robots.{module}", raising=False)
    for name in ("AntMaze", "AntMaze-small-empty-source", "AdroitPen-broken-joint-easy-target"):
        with pytest.raises(gym.error.DependencyNotInstalled, match=r"pip install 'transreward-envs\[robotics\]'"):
            make(name)
    assert "AntMaze-small-empty" in PAIRS


@needs_robotics
def test_a_limb_in_a_maze_is_the_ants() -> None:
    plain, short = make("AntMaze"), make("AntMaze", shift={"kind": "limb", "bodies": ["ankle_1"], "length": 0.5})
    sizes = [env.unwrapped.model.geom_size for env in (plain, short)]
    changed = [plain.unwrapped.model.geom(int(index)).name for index in np.flatnonzero((sizes[0] != sizes[1]).any(1))]
    assert changed == ["left_ankle_geom"]
