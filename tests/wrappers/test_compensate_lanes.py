"""The reward wrapper of lanes: what the wrapper of one environment does, in one call for all."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import SyncVectorEnv

from transreward_envs import get_pair
from transreward_wrappers import Compensate, CompensateLanes, Compensation, CompensationError, Transitions

MIXTURE = "TransReward/HalfCheetah-broken-bthigh-mixture-v0"
PAIR = get_pair("HalfCheetah-broken-bthigh")
FIELDS = ("observation", "action", "reward", "next_observation", "terminated", "domain")
MODES = ("NextStep", "SameStep", "Disabled")


@dataclass(kw_only=True, eq=False)
class Recording(Compensation):
    """Keeps every transition that it is shown, and adds a tenth of its first action."""

    acts_in: ClassVar = "both"

    amount: float = 0.1

    def bind(self, observation_size: int, action_size: int) -> None:
        self.paid: list[Transitions] = []
        self.learnt: list[Transitions] = []
        self.seeds: list[int] = []

    def reseed(self, seed: int) -> None:
        self.seeds.append(seed)

    def update(self, batch: Transitions) -> None:
        self.learnt.append(batch)

    def __call__(self, batch: Transitions) -> np.ndarray:
        self.paid.append(batch)
        return self.amount * batch.action[:, 0]


def recorded(env_id: str, mode: str, *, lanes: int = 3, **keywords: Any) -> CompensateLanes:
    envs = gym.make_vec(env_id, num_envs=lanes, autoreset_mode=mode, **keywords)
    return CompensateLanes(envs, pair=PAIR, compensation=Recording)


def actions_of(envs: Any, generator: np.random.Generator) -> np.ndarray:
    return generator.uniform(-1.0, 1.0, envs.action_space.shape).astype(np.float32)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("env_id", [MIXTURE, "TransReward/Hopper-gravity-2.0-mixture-v0"])
def test_each_call_has_the_transitions_of_the_step_and_no_other(env_id: str, mode: str) -> None:
    envs = recorded(env_id, mode, time_limit=7, target_ratio=0.5)
    generator, lanes = np.random.default_rng(0), np.arange(3)
    before, infos = envs.reset(seed=0)
    domain, done, ended = infos["domain"], np.zeros(3, dtype=bool), 0
    for _ in range(60):
        if mode == "Disabled" and done.any():
            before, infos = envs.reset(options={"reset_mask": done.copy()})
            domain, done = np.where(done, infos["domain"], domain), np.zeros(3, dtype=bool)
        actions = actions_of(envs, generator)
        following, rewards, terminated, truncated, infos = envs.step(actions)
        real = ~done if mode == "NextStep" else np.ones(3, dtype=bool)
        done = terminated | truncated
        last = following.copy()
        if mode == "SameStep" and done.any():
            last[done] = np.stack(infos["final_obs"][done])
        assert np.array_equal(infos["reward/env"] + infos["reward/compensation"], rewards)
        assert np.array_equal(infos["reward/compensation"], np.where(real, 0.1 * actions[:, 0].astype(float), 0.0))
        if real.any():
            expected = (before, actions, infos["reward/env"], last, terminated, domain)
            for name, values in zip(FIELDS, expected, strict=True):
                assert np.array_equal(getattr(envs.compensation.paid[-1], name), values[lanes[real]]), name
        ended += int(done.sum())
        before, domain = following, infos["domain"]
    assert len(envs.compensation.paid) <= 60
    assert envs.compensation.paid == envs.compensation.learnt
    assert ended > 10
    seen = np.concatenate([batch.domain for batch in envs.compensation.paid])
    assert np.bincount(seen).tolist() == list(envs.steps().values())


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
@pytest.mark.parametrize("method", ["darc", "drae", "reward-transfer"])
def test_one_lane_is_what_one_environment_is(method: str, mode: str) -> None:
    keywords: dict[str, Any] = {"time_limit": 10, "seed": 3}
    keywords |= {"fit_budget": 300, "fit_updates": 30, "hidden": 16} if method == "reward-transfer" else {}
    if method in ("darc", "drae"):
        keywords |= {"warmup": 40, "fit_budget": 5, "update_every": 8, "batch_size": 8, "target_ratio": 0.5}
    ours = gym.make_vec(PAIR.id(method), num_envs=1, autoreset_mode=mode, **keywords)
    theirs = SyncVectorEnv(
        [lambda: gym.make(PAIR.id(method), **keywords)], autoreset_mode=ours.metadata["autoreset_mode"]
    )
    assert np.array_equal(ours.reset(seed=3)[0], theirs.reset(seed=3)[0])
    generator, compensated = np.random.default_rng(0), 0.0
    for _ in range(200):
        actions = actions_of(ours, generator)
        mine, other = ours.step(actions), theirs.step(actions)
        for index in (0, 2, 3):
            assert np.array_equal(mine[index], other[index])
        assert np.allclose(mine[1], other[1], atol=1e-4)
        infos = [step[4]["final_info"] if "final_info" in step[4] else step[4] for step in (mine, other)]
        assert ("episode_compensated" in infos[0]) == ("episode_compensated" in infos[1])
        if "episode_compensated" in infos[0]:
            for key in ("episode_compensated", "episode_env"):
                assert infos[0][key]["r"] == pytest.approx(infos[1][key]["r"], abs=1e-3)
                assert infos[0][key]["l"] == infos[1][key]["l"]
        compensated += abs(float(mine[4]["reward/compensation"][0]))
    assert compensated > 0.0
    learnt = ours.diagnostics, theirs.envs[0].get_wrapper_attr("diagnostics")
    assert learnt[0] == pytest.approx(learnt[1], rel=1e-3)


def test_a_lane_whose_physics_fails_pays_and_teaches_nothing() -> None:
    for mode in ("NextStep", "SameStep"):
        envs = recorded(MIXTURE, mode)
        envs.reset(seed=0)
        envs.unwrapped._engine.qvel[1] = np.inf
        _, rewards, _, truncated, infos = envs.step(np.ones((3, 6), dtype=np.float32))
        assert truncated.tolist() == [False, True, False]
        assert rewards[1] == infos["reward/compensation"][1] == 0.0
        assert len(envs.compensation.paid[-1]) == 2
        assert np.isfinite(envs.compensation.paid[-1].next_observation).all()


def test_a_seed_reseeds_the_compensation_and_a_reset_without_one_does_not() -> None:
    envs = recorded(MIXTURE, "NextStep")
    for seed in (5, None, [9, 10, 11], np.array([3, 4, 5])):
        envs.reset(seed=seed)
    assert envs.compensation.seeds == [5, 9, 3]


def test_what_is_not_finite_or_compensates_already_is_refused() -> None:
    envs = CompensateLanes(
        gym.make_vec(MIXTURE, num_envs=2), pair=PAIR, compensation=Recording, settings={"amount": float("nan")}
    )
    envs.reset(seed=0)
    with pytest.raises(CompensationError, match="Recording returned nan at step 2 of HalfCheetah-broken-bthigh"):
        envs.step(np.ones((2, 6), dtype=np.float32))
    with pytest.raises(TypeError, match="An environment is compensated once; this one has Recording already"):
        CompensateLanes(envs, pair=PAIR, compensation=Recording)
    for keywords, message in (
        ({"etta": 1.0}, "Unknown setting of DARC 'etta'. Did you mean 'eta'"),
        ({"thread": 1}, "Unknown setting of DARC 'thread'. Did you mean 'threads'"),
        ({"max_episode_steps": 5}, "Give `time_limit` in place of `max_episode_steps`"),
    ):
        with pytest.raises(ValueError, match=message):
            gym.make_vec(PAIR.id("darc"), num_envs=2, **keywords)
    envs.reset(seed=0)
    with pytest.raises(ValueError, match="`reset_mask` must be an array of 2 booleans"):
        envs.reset(options={"reset_mask": None})


def test_a_compensation_may_keep_what_it_is_shown_though_observations_are_not_copied() -> None:
    envs = recorded(MIXTURE, "NextStep", copy=False)
    envs.reset(seed=0)
    for _ in range(3):
        envs.step(np.ones((3, 6), dtype=np.float32))
    first, second = envs.compensation.paid[:2]
    assert np.array_equal(first.next_observation, second.observation)
    assert not np.array_equal(first.next_observation, second.next_observation)


def test_what_was_learnt_is_saved_and_loaded(tmp_path) -> None:
    settings = {"time_limit": 10, "warmup": 40, "fit_budget": 5, "update_every": 8, "batch_size": 8}
    made = [gym.make_vec(PAIR.id("darc"), num_envs=4, target_ratio=0.5, **settings) for _ in range(2)]
    made[0].reset(seed=0)
    generator = np.random.default_rng(0)
    for _ in range(60):
        made[0].step(actions_of(made[0], generator))
    made[0].save_state(str(tmp_path / "state"))
    made[1].load_state(str(tmp_path / "state"))
    before, after = (one.diagnostics for one in made)
    assert {**before, **after} == before  # but for what was paid lately
    assert after["classifier_updates"] > 5
    made[1].restore_steps(**made[0].steps())
    assert made[1].steps() == made[0].steps()


def test_domains_that_cannot_step_together_are_compensated_all_the_same(tmp_path: Path) -> None:
    from transreward_envs import make_pair

    pair = make_pair("HalfCheetah", {"kind": "obstacle", "x": 3.0}, validate=False)
    envs = gym.make_vec(
        PAIR.id("darc"), num_envs=3, pair=pair.to_json(), time_limit=5, warmup=20, batch_size=4, fit_budget=10
    )
    assert isinstance(envs.envs[0], Compensate)
    envs.reset(seed=0)
    assert envs.step(np.zeros((3, 6), dtype=np.float32))[4]["reward/env"].shape == (3,)
    assert sum(envs.steps().values()) == 3
    for _ in range(20):
        envs.step(np.zeros((3, 6), dtype=np.float32))
    assert envs.diagnostics["classifier_updates"] > 0
    envs.save_state(str(tmp_path / "learnt.safetensors"))
    again = gym.make_vec(
        PAIR.id("darc"), num_envs=3, pair=pair.to_json(), time_limit=5, warmup=20, batch_size=4, fit_budget=10
    )
    again.load_state(str(tmp_path / "learnt.safetensors"))
    again.restore_steps(**envs.steps())
    assert again.steps() == envs.steps()
    assert again.compensation is not envs.compensation
    assert again.diagnostics["classifier_updates"] == envs.diagnostics["classifier_updates"]
