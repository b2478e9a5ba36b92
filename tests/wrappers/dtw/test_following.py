"""The forms that follow a reference step by step, in one environment and in lanes."""

from collections.abc import Callable, Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from tests.wrappers.dtw.conftest import PAIR
from transreward_envs import get_pair
from transreward_wrappers.alignment import Reference, StreamingRows, increment, progress, shaping
from transreward_wrappers.compensation import Transitions
from transreward_wrappers.dtw.follower import FollowReference
from transreward_wrappers.errors import CompensationError
from transreward_wrappers.policies import load_policy

ID = get_pair(PAIR).id("dtw")
FORMS = ("progress", "increment", "shaping")


def settings(form: str) -> dict[str, Any]:
    return {"reward": form, "reference_steps": 60, "base_reward": form == "shaping", "penalty": 2.0, "gamma": 0.9}


def paid_by_hand(form: str, env: gym.Env, steps: list[tuple[np.ndarray, bool]], tau: float) -> Iterator[float]:
    """Yield what each step of an episode is paid, by the streaming row alone; a penalty of 2 for each tau."""
    (reference, *_) = env.get_wrapper_attr("compensation").references_followed
    rows = StreamingRows(reference)
    for observation, terminated in steps:
        before, after = rows.state, rows.step(observation[None])
        if form == "progress":
            yield progress(before, after, tau=tau, penalty=2.0 / tau)[0]
        elif form == "increment":
            yield increment(before, after)[0]
        else:
            yield shaping(before, after, np.array([terminated]), gamma=0.9, penalty=2.0 / tau)[0]


@pytest.mark.parametrize("tau", [None, 2.5])
@pytest.mark.parametrize("form", FORMS)
def test_each_step_is_paid_by_the_row_which_starts_anew_with_each_episode(form: str, tau: float | None) -> None:
    env = gym.make(ID, tau=tau, **settings(form))
    env.action_space.seed(0)
    env.reset(seed=0)
    steps, paid = [], []
    for _ in range(60):
        observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
        steps.append((observation, terminated))
        paid.append(reward - (info["reward/env"] if form == "shaping" else 0.0))
        assert paid[-1] == pytest.approx(info["reward/compensation"])
        if terminated or truncated:
            assert paid == pytest.approx(list(paid_by_hand(form, env, steps, tau or 4.0)))
            steps, paid = [], []
            env.reset()
    assert env.get_wrapper_attr("diagnostics")["target_mean"] != 0.0


@pytest.mark.parametrize("form", ["progress", "increment"])
def test_nothing_is_paid_or_charged_once_the_reference_is_over(form: str) -> None:
    reference = Reference(observations=np.arange(5.0)[:, None], rewards=np.ones(5))
    follower = FollowReference(
        reference, 1, form=form, to_source=lambda observations: observations, tau=1.0, penalty=0.5, gamma=0.9
    )
    paid = []
    for position in [0.2, 1.2, 2.2, 3.2, 4.2, 5.0, 6.0, 7.0]:
        here = np.array([[position]])
        batch = Transitions(
            observation=here,
            action=here,
            next_observation=here,
            reward=np.zeros(1),
            terminated=np.zeros(1, dtype=bool),
            domain=np.ones(1, dtype=np.int64),
        )
        paid.append(float(follower.pay(batch, np.array([True]))[0]))
    assert all(paid[:5])
    assert paid[5:] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
@pytest.mark.parametrize("form", FORMS)
def test_lanes_pay_and_show_what_single_environments_do(form: str, mode: str) -> None:
    more = {**settings(form), "observe_progress": True, "time_limit": 7}
    lanes = gym.make_vec(ID, num_envs=3, autoreset_mode=mode, **more)
    single = gym.vector.SyncVectorEnv([lambda: gym.make(ID, **more)] * 3, autoreset_mode=gym.vector.AutoresetMode(mode))
    lanes.action_space.seed(0)
    starts = [envs.reset(seed=5)[0] for envs in (lanes, single)]
    assert np.array_equal(*starts)
    assert starts[0].shape == (3, 6)
    for _ in range(40):
        actions = lanes.action_space.sample()
        mine, theirs = lanes.step(actions), single.step(actions)
        assert np.allclose(mine[0], theirs[0], rtol=1e-12, atol=1e-12)
        assert np.allclose(mine[1], theirs[1], rtol=1e-9, atol=1e-9)
        assert np.array_equal(mine[2:4], theirs[2:4])
        if mode == "SameStep":
            for lane in np.flatnonzero(mine[2] | mine[3]):
                assert np.allclose(mine[4]["final_obs"][lane], theirs[4]["final_obs"][lane], rtol=1e-12, atol=1e-12)
    assert lanes.single_observation_space == single.single_observation_space
    assert lanes.single_observation_space.contains(mine[0][0])


def test_a_lane_that_is_reset_alone_starts_anew_and_the_others_go_on() -> None:
    lanes = gym.make_vec(ID, num_envs=2, autoreset_mode="Disabled", observe_progress=True, **settings("progress"))
    lanes.reset(seed=0)
    for _ in range(3):
        shown = lanes.step(np.zeros((2, 1), dtype=np.float32))[0]
    again, _ = lanes.reset(options={"reset_mask": np.array([True, False])})
    assert again[0, -2:].tolist() == [0.0, 0.0]
    assert again[1, -2:].tolist() == shown[1, -2:].tolist()
    assert shown[1, -2] > 0.0


def test_what_hangs_on_an_episode_cannot_be_told_of_transitions() -> None:
    lanes = gym.make_vec(ID, num_envs=2, **settings("progress"))
    lanes.reset(seed=0)
    seen: list[Any] = []
    lanes.compensation.update = seen.append
    lanes.step(np.zeros((2, 1), dtype=np.float32))
    with pytest.raises(ValueError, match="DTW pays for how an episode goes.*Keep rewards as they were paid"):
        lanes.paid_for(seen[0])


def test_what_is_paid_must_be_finite(monkeypatch: pytest.MonkeyPatch) -> None:
    env = gym.make(ID, **settings("progress"))
    env.reset(seed=0)
    monkeypatch.setattr("transreward_wrappers.dtw.follower.progress", lambda *_, **__: np.array([np.nan]))
    with pytest.raises(CompensationError, match="DTW returned nan"):
        env.step(env.action_space.sample())


@pytest.mark.parametrize("pair", ["HalfCheetah-actuator-0.75", "Hopper-mass-2.0"])
def test_progress_as_it_ships_pays_the_sources_expert_far_more_than_random_actions(pair: str) -> None:
    def paid(act: Callable[[np.ndarray], np.ndarray], env: gym.Env) -> tuple[float, float]:
        observation, _ = env.reset(seed=3)
        rewards, own, over = [], 0.0, False
        while not over:
            observation, reward, terminated, truncated, info = env.step(act(observation))
            rewards.append(float(reward))
            own += info["reward/env"]
            over = terminated or truncated
        return sum(rewards), own

    env = gym.make(get_pair(pair).id("dtw"), reward="progress", reference_steps=1_000, reference_count=1)
    expert, half = load_policy(pair, "source"), env.action_space.high
    env.action_space.seed(0)
    best, best_return = paid(lambda seen: half * expert(seen[None])[0], env)
    worst, worst_return = paid(lambda seen: env.action_space.sample(), env)
    assert best_return > 2.0 * max(worst_return, 0.0)
    assert best > 100.0
    assert worst < 0.2 * best
