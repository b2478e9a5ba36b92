"""The control of a correspondence: permuted joints, which it must beat."""

import importlib
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from transreward_envs import Pair, get_pair
from transreward_envs.correspondence import Correspondence, beats_permutation, layout_of
from transreward_envs.correspondence.control import PermutationControl, SomeSteps, permuted, random_steps
from transreward_envs.correspondence.foretelling import Foretelling

ROOTS = {"rootx": "rootx", "rootz": "rootz", "rooty": "rooty"}
ACROSS = ("Walker2d-from-Hopper", "Hopper-from-Walker2d")


@cache
def domains(pair: str) -> tuple[Any, Any]:
    return tuple(get_pair(pair).make(role).unwrapped for role in ("source", "target"))


@cache
def steps(pair: str) -> tuple[SomeSteps, SomeSteps]:
    return tuple(random_steps(one, 3_000, np.random.default_rng(1)) for one in domains(pair))


def control(pair: str, chosen: Correspondence | None = None, **settings: Any) -> PermutationControl:
    source, target = domains(pair)
    learnt, asked = steps(pair)
    chosen = chosen or Correspondence.by_joint_names(source, target)
    return beats_permutation(chosen, source, target, source_steps=learnt, target_steps=asked, **settings)


@pytest.mark.parametrize("pair", ACROSS)
def test_joints_of_one_name_beat_permuted_ones(pair: str) -> None:
    found = control(pair)
    assert found.beaten
    assert found.p_value <= 0.1
    assert len(found.controls) == 119
    assert found.agreement > np.median(found.controls) + 0.05
    assert found.rank == 1 + sum(one >= found.agreement for one in found.controls)


def test_a_wrong_correspondence_does_not_beat_them() -> None:
    upside_down = {"thigh_joint": "foot_joint", "leg_joint": "thigh_joint", "foot_joint": "leg_joint"}
    for pair in ACROSS:
        assert not control(pair, Correspondence(joints={**ROOTS, **upside_down})).beaten


def test_the_eight_best_of_all_ways_name_a_thigh_a_thigh_and_so_on() -> None:
    source, target = domains("Walker2d-from-Hopper")
    found = control("Walker2d-from-Hopper")
    right = Correspondence.by_joint_names(source, target)
    generator = np.random.default_rng(0)
    Foretelling.fit(*_columns(steps("Walker2d-from-Hopper")[0]), generator)  # draws what the control drew before
    others = list(permuted(right, layout_of(source), layout_of(target), 199, generator))
    alike = [all(a.split("_")[0] == b.split("_")[0] for a, b in other.joints.items()) for other in others]
    assert sum(alike) == 7
    kindred = [score for score, same in zip(found.controls, alike, strict=True) if same]
    strangers = [score for score, same in zip(found.controls, alike, strict=True) if not same]
    assert np.median(kindred) > np.quantile(strangers, 0.95)


def _columns(some: SomeSteps) -> tuple[np.ndarray, ...]:
    return some.observation, some.action, some.next_observation


def test_permutations_differ_and_keep_what_is_not_driven() -> None:
    layouts = [layout_of(one) for one in domains("Hopper-from-Walker2d")]
    joints = {**ROOTS, "thigh_joint": "thigh_joint", "leg_joint": "leg_joint"}
    scaled = Correspondence(joints=joints, scales={"leg_joint": 2.0, "rooty": -1.0}, fills={"leg_left_joint": -0.1})
    for count in (5, 500):
        others = list(permuted(scaled, *layouts, count, np.random.default_rng(0)))
        assert len(others) == min(count, 3 * 30 - 1)
        assert len({frozenset(other.joints.items()) for other in [scaled, *others]}) == len(others) + 1
        for other in others:
            assert ROOTS.items() <= other.joints.items()
            assert len(other.joints) == 5
            assert other.scales["rooty"] == -1.0
            assert other.between(*layouts).round_trip_error(other.inverse.between(*reversed(layouts))) < 1e-9


def test_what_comes_out_is_reproducible_and_says_what_it_means() -> None:
    first, again = (control("Walker2d-from-Hopper", controls=30, seed=3) for _ in range(2))
    assert first == again != control("Walker2d-from-Hopper", controls=30, seed=4)
    assert len(first.controls) == 30
    assert str(PermutationControl(agreement=0.5, controls=(0.1, 0.2, 0.5))) == (
        "correlation 0.500 against 0.200 by permuted joints (median), rank 2 of 4, p = 0.500"
    )


def test_steps_are_made_where_none_are_given() -> None:
    source, target = domains("Walker2d-from-Hopper")
    chosen = Correspondence.by_joint_names(source, target)
    made = beats_permutation(chosen, source, target, steps=300, controls=5, seed=0)
    assert -1.0 <= made.agreement <= 1.0
    assert made == beats_permutation(chosen, source, target, steps=300, controls=5, seed=0)


def test_random_steps_follow_each_other_and_end_with_their_episode() -> None:
    env = domains("Walker2d-from-Hopper")[1]
    made = random_steps(env, 400, np.random.default_rng(0))
    assert made.observation.shape == made.next_observation.shape == (400, 17)
    assert np.abs(made.action).max() <= 1.0
    follows = np.all(made.next_observation[:-1] == made.observation[1:], axis=1)
    assert 4 <= (~follows).sum() < 100
    endless = random_steps(get_pair("HalfCheetah-backward").make("target").unwrapped, 250, np.random.default_rng(0))
    follows = np.all(endless.next_observation[:-1] == endless.observation[1:], axis=1)
    assert np.flatnonzero(~follows).tolist() == [99, 199]


def test_the_model_foretells_what_it_has_learnt() -> None:
    generator = np.random.default_rng(0)
    observation, action = generator.standard_normal((3_000, 3)), generator.uniform(-1.0, 1.0, (3_000, 2))
    change = observation @ generator.standard_normal((3, 3)) + np.abs(action @ generator.standard_normal((2, 3))) + 1.0
    model = Foretelling.fit(observation[:2_000], action[:2_000], (observation + change)[:2_000], generator)
    error = model(observation, action)[2_000:] - change[2_000:]
    assert error.std() < 0.15 * change.std()


def test_what_cannot_be_controlled_says_why() -> None:
    source, target = domains("Walker2d-from-Hopper")
    with pytest.raises(ValueError, match="this correspondence has none of Walker2d and Hopper, which leaves one way"):
        control("Walker2d-from-Hopper", Correspondence(joints=ROOTS))
    still = SomeSteps(observation=np.zeros((5, 17)), action=np.zeros((5, 6)), next_observation=np.zeros((5, 17)))
    chosen = Correspondence.by_joint_names(source, target)
    with pytest.raises(ValueError, match="Steps must change something that is mapped"):
        beats_permutation(chosen, source, target, source_steps=steps("Walker2d-from-Hopper")[0], target_steps=still)
    with pytest.raises(ValueError, match="`controls` must be an integer >= 1"):
        control("Walker2d-from-Hopper", controls=0)
    with pytest.raises(ValueError, match="`steps` must be an integer >= 2"):
        control("Walker2d-from-Hopper", steps=1)
    hoppers = steps("Walker2d-from-Hopper")[0]
    walkers = steps("Walker2d-from-Hopper")[1]
    for name, given in {"target": (hoppers, hoppers), "source": (walkers, walkers)}.items():
        with pytest.raises(ValueError, match=rf"`{name}_steps` must have the shapes \[\(3000, .* got \[\(3000, 1"):
            beats_permutation(chosen, source, target, source_steps=given[0], target_steps=given[1])
    broken = replace(walkers, next_observation=np.full_like(walkers.next_observation, np.nan))
    with pytest.raises(ValueError, match="`target_steps` must be finite"):
        beats_permutation(chosen, source, target, source_steps=hoppers, target_steps=broken)


def test_a_pair_is_verified_by_round_trip_and_control(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = get_pair("Walker2d-from-Hopper")
    beaten_by_all = PermutationControl(agreement=0.1, controls=(0.2,))
    module = importlib.import_module("transreward_envs.verification.verify")
    monkeypatch.setattr(module, "beats_permutation", lambda *_: beaten_by_all)
    (failure,) = pair.verify().failures
    assert failure.what == "joints of one name foretell steps better than permuted ones"
    assert "rank 2 of 2" in failure.measured
    monkeypatch.setattr(Correspondence, "inverse", Correspondence(joints={"thigh_joint": "leg_joint"}))
    assert "what is mapped to the source and back" in pair.verify().failures[0].what


def test_robots_with_no_joint_in_common_have_nothing_to_verify() -> None:
    for robot, source in (("Ant", "Hopper"), ("Reacher", "Hopper"), ("HalfCheetah", "Hopper")):
        checks = Pair(robot=robot, name=f"{robot}-from-{source}", source_robot=source).verify().require().checks
        named = [check.what for check in checks if "joints" in check.what or "mapped" in check.what]
        assert len(named) == (robot == "HalfCheetah")
