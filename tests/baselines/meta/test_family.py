"""Families of tasks: who is drawn, what they pay, and what cannot be drawn."""

import dataclasses
import math
from contextlib import closing

import numpy as np
import pytest

from transreward_baselines.lanes import Lanes
from transreward_baselines.meta.args import MetaArgs
from transreward_baselines.meta.batches import relabelled_rewards
from transreward_baselines.meta.episodes import Act, play
from transreward_baselines.meta.family import NEAR, SparseFamily, draw_family
from transreward_baselines.meta.memory import EpisodeMemory
from transreward_envs import get_suite
from transreward_envs.shifts import FrictionShift, MassShift, SparseReward
from transreward_wrappers.policies import load_policy

SMALL = {"train": 3, "test": 2, "horizon": 30}


def family(robot: str = "HalfCheetah", **changes: object) -> SparseFamily:
    return draw_family("sparse", robot, **{**SMALL, **changes})


def uniform(lanes: Lanes, seed: int = 0) -> Act:
    """Return what acts uniformly, in all lanes alike."""
    generator, count = np.random.default_rng(seed), lanes.num_envs
    draw = lambda: np.tile(generator.uniform(-1.0, 1.0, lanes.action_size).astype(np.float32), (count, 1))  # noqa: E731
    return lambda _: (draw(), np.zeros(count, np.float32))


def test_tasks_differ_as_the_pairs_of_the_suite_do() -> None:
    drawn = family(train=200)
    rewards, masses, frictions = zip(*drawn.shifts, strict=True)
    assert set(rewards) == {SparseReward(distance=8.0)}
    for kind, shifts in ((MassShift, masses), (FrictionShift, frictions)):
        assert all(type(shift) is kind for shift in shifts)
        scales = np.array([shift.scale for shift in shifts])
        assert 0.5 <= scales.min() < 0.55
        assert 1.9 < scales.max() <= 2.0
        assert abs(np.log(scales).mean()) < 0.1  # every ratio alike
    assert abs(np.corrcoef(*([shift.scale for shift in shifts] for shifts in (masses, frictions)))[0, 1]) < 0.2


def test_neither_split_depends_on_the_size_of_the_other() -> None:
    few, many = family(), family(train=5, test=4)
    assert many.shifts[:3] == few.shifts[:3]
    assert many.shifts[5:7] == few.shifts[3:]
    assert set(few.shifts[:3]).isdisjoint(few.shifts[3:])
    assert family(seed=1).shifts[0] != few.shifts[0]


def test_a_stretch_and_a_spread_take_tasks_apart() -> None:
    plain, wide = family(), family(stretch=2.0)
    for one, other in zip(plain.shifts, wide.shifts, strict=True):
        assert other[1].scale == pytest.approx(one[1].scale ** 2)
    distances = family(train=100, distance=2.0, distance_spread=1.5).distances
    assert 2.0 / 1.5 <= distances.min() < 1.5
    assert 2.8 < distances.max() <= 3.0


def test_each_lane_is_in_its_task() -> None:
    drawn = family()
    with closing(drawn.lanes([2, 0, 4], threads=1)) as lanes:
        nominal = closing(dataclasses.replace(drawn, shifts=((drawn.shifts[0][0],),)).lanes([0], threads=1))
        with nominal as plain:
            masses = [model.body_mass.sum() for model in plain.envs.call("model")]
        for task, model in zip([2, 0, 4], lanes.envs.call("model"), strict=True):
            assert model.body_mass.sum() == pytest.approx(masses[0] * drawn.shifts[task][1].scale)


def test_relabelled_rewards_are_what_the_other_tasks_environment_pays() -> None:
    drawn = family(distance=0.3, horizon=60)
    reward, *rest = drawn.shifts[0]
    other = (dataclasses.replace(reward, distance=0.1), *rest)
    drawn = dataclasses.replace(drawn, shifts=(drawn.shifts[0], other), train=2, test=0)  # one world, two rewards
    memory = EpisodeMemory(2, 2, 60, 18, 6)
    with closing(drawn.lanes([0, 1], threads=1)) as lanes:
        act = uniform(lanes, seed=1)  # which happens to get that far
        lanes.reset = lambda seed, reset=lanes.envs.reset: reset(seed=[seed, seed])[0]  # the same start in both
        for seed in range(2):
            memory.add(play(lanes, act, horizon=60, seed=seed))
    generators = [np.random.default_rng(0) for _ in range(2)]
    mine, theirs = (memory.draw(np.array([task]), 500, generator) for task, generator in enumerate(generators))
    assert np.array_equal(mine.observations, theirs.observations)
    assert not np.array_equal(mine.rewards, theirs.rewards)
    assert set(theirs.rewards) == {0.0, 1.0}
    assert np.array_equal(relabelled_rewards(drawn, mine, np.ones(500, np.int64)), theirs.rewards)
    assert np.array_equal(relabelled_rewards(drawn, mine, np.zeros(500, np.int64)), mine.rewards)


@pytest.mark.slow
@pytest.mark.parametrize("robot", NEAR)
def test_random_actions_hardly_ever_succeed_and_the_expert_nearly_always_does(robot: str) -> None:
    drawn = draw_family("sparse", robot, train=100, test=100, horizon=200, distance=NEAR[robot])
    expert, generator = load_policy(robot), np.random.default_rng(0)
    nothing = np.zeros(200, np.float32)
    with closing(drawn.lanes(range(200), threads=1)) as lanes:
        shape, positions = (200, *lanes.action_space.shape), 2 if robot == "Ant" else 1
        acts = {
            "random": lambda seen: (generator.uniform(-1.0, 1.0, shape).astype(np.float32), nothing),
            "expert": lambda seen: (expert(seen[:, positions:]), nothing),  # which does not see where it is
        }
        success = {name: np.mean(play(lanes, act, horizon=200, seed=0).returns > 0.0) for name, act in acts.items()}
    assert success["random"] < 0.05
    assert success["expert"] > 0.8


def test_reward_begins_where_a_robot_gets_to_in_the_time_that_it_has() -> None:
    told = {horizon: MetaArgs(robot="Walker2d", horizon=horizon) for horizon in (200, 999, 1_000)}
    assert [args.distance for args in told.values()] == [NEAR["Walker2d"], NEAR["Walker2d"], None]
    assert set(told[200].family().distances) == {NEAR["Walker2d"]}
    assert set(told[1_000].family().distances) == {2.0}, "the suite's own"
    assert MetaArgs(robot="Walker2d", distance=0.5).distance == 0.5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"robot": "Humanoid"}, "Unknown robot of suite 'sparse' 'Humanoid'. Valid names: Ant, HalfCheetah"),
        ({"train": 1}, "`train` must be an integer >= 2; got 1"),
        ({"test": 0}, "`test` must be an integer >= 1; got 0"),
        ({"horizon": 0}, "`horizon` must be an integer >= 1; got 0"),
        ({"distance": -1.0}, "`distance` must be finite and > 0; got -1.0"),
        ({"distance_spread": 0.5}, "`distance_spread` must be at least 1, which is none; got 0.5"),
        ({"stretch": math.inf}, "`stretch` must be finite and > 0; got inf"),
    ],
)
def test_bad_families_say_what_is_wrong(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        family(**changes)


def test_suites_of_other_rewards_are_refused() -> None:
    with pytest.raises(ValueError, match="Unknown suite 'spares'. Did you mean 'sparse'"):
        draw_family("spares", "HalfCheetah", **SMALL)
    with pytest.raises(ValueError, match=r"both have a sparse reward; Hopper-.* of suite 'core' has not"):
        draw_family("core", "Hopper", **SMALL)


def test_pairs_that_scale_nothing_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = [dataclasses.replace(pair, target=(SparseReward(distance=9.0),)) for pair in get_suite("sparse")]
    monkeypatch.setattr("transreward_baselines.meta.family.get_suite", lambda name: pairs)
    with pytest.raises(ValueError, match="differ by shifts that scale something, such as mass or friction; none of"):
        family()
