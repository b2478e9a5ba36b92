"""Lanes that act in two domains by turns: each episode is that of the plain domain, and no budget is overspent."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import SyncVectorEnv
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.envs.batched.equality import REWARD, assert_same_info
from transreward_envs import Pair, get_pair, make_pair
from transreward_envs.errors import BudgetSpentError
from transreward_envs.training import lanes as scheduled
from transreward_envs.training.lanes import ScheduledLanes
from transreward_envs.training.vector_entry_points import make_scheduled_lanes

PAIRS = {
    "actuators": get_pair("HalfCheetah-broken-bthigh"),
    "limbs": make_pair("Ant", {"kind": "limb", "bodies": ["front_left_leg"], "length": 0.8}, validate=False),
    "falling": get_pair("Hopper-gravity-2.0"),
    "masses": make_pair("Humanoid", {"kind": "mass", "scale": 2.0}, validate=False),
    "delay": make_pair("Hopper", {"kind": "delay", "steps": 2}, validate=False),
    "repeat": make_pair("Walker2d", {"kind": "repeat", "times": 3}, validate=False),
    "reward": make_pair("HalfCheetah", {"kind": "direction", "heading": "backward"}, validate=False),
    "noise": make_pair("Hopper", {"kind": "observation_noise", "std": 0.1}, validate=False),
}


class Replay:
    """One lane's domains, made apart; each episode is started where the lane has started it."""

    def __init__(self, pair: Pair, seed: int, limit: int) -> None:
        self._domains = [
            pair.make(role, max_episode_steps=limit, disable_env_checker=True) for role in ("source", "target")
        ]
        self._seeds: list[int | None] = [seed, seed]
        self._active = self._domains[0]
        self.entered: list[int] = []

    def reset(self, domain: int) -> np.ndarray:
        self.entered.append(int(domain))
        self._active = self._domains[domain]
        seed, self._seeds[domain] = self._seeds[domain], None
        return self._active.reset(seed=seed)[0]

    def step(self, action: np.ndarray) -> tuple:
        return self._active.step(action)


@pytest.fixture
def at_random(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have lanes enter either domain at random: the schedule itself leaves them where they are, if it can."""
    generator = np.random.default_rng(0)
    monkeypatch.setattr(scheduled, "target_is_due", lambda ledger, **settings: bool(generator.random() < 0.5))


def assert_each_episode_is_that_of_a_plain_domain(pair: Pair, *, mode: str, threads: int, steps: int = 130) -> int:
    lanes, limit = 4, 12
    envs = make_scheduled_lanes(
        pair, lanes, target_ratio=0.5, time_limit=limit, autoreset_mode=mode, threads=threads, target_budget=10_000
    )
    replays = [Replay(pair, 7 + lane, limit) for lane in range(lanes)]
    observations, infos = envs.reset(seed=7)
    expected = np.stack([replay.reset(domain) for replay, domain in zip(replays, infos["domain"], strict=True)])
    assert np.array_equal(observations, expected)
    generator, again = np.random.default_rng(0), np.zeros(lanes, dtype=bool)
    low, high = envs.single_action_space.low, envs.single_action_space.high
    for _ in range(steps):
        actions = generator.uniform(low, high, (lanes, len(low))).astype(np.float32)
        observations, rewards, terminated, truncated, infos = envs.step(actions)
        for lane, replay in enumerate(replays):
            if again[lane]:
                assert np.array_equal(observations[lane], replay.reset(infos["domain"][lane]))
                continue
            seen, reward, ended, cut, _ = replay.step(actions[lane])
            assert (ended, cut) == (terminated[lane], truncated[lane])
            assert rewards[lane] == pytest.approx(reward, abs=REWARD)
            if mode == "SameStep" and (ended or cut):
                assert np.array_equal(infos["final_obs"][lane], seen)
                seen = replay.reset(infos["domain"][lane])
            assert np.array_equal(observations[lane], seen)
        again = (terminated | truncated) & (mode == "NextStep")
    entered = [replay.entered for replay in replays]
    envs.close()
    return sum(int(np.abs(np.diff(one)).sum()) for one in entered)


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
@pytest.mark.parametrize("kind", PAIRS)
@pytest.mark.usefixtures("at_random")
def test_each_episode_is_that_of_a_plain_domain(kind: str, mode: str) -> None:
    assert assert_each_episode_is_that_of_a_plain_domain(PAIRS[kind], mode=mode, threads=2) > 5


@pytest.mark.usefixtures("at_random")
def test_a_lane_is_the_same_after_fifty_changes_of_domain() -> None:
    pair = make_pair("Hopper", [{"kind": "gravity", "scale": 2.0}, {"kind": "mass", "scale": 0.5}], validate=False)
    changes = assert_each_episode_is_that_of_a_plain_domain(pair, mode="SameStep", threads=1, steps=1500)
    assert changes > 200


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_one_lane_is_what_one_environment_is(mode: str) -> None:
    env_id = "TransReward/HalfCheetah-broken-bthigh-mixture-v0"
    keywords = {"target_ratio": 0.3, "target_budget": 75, "time_limit": 10}
    ours = gym.make_vec(env_id, num_envs=1, autoreset_mode=mode, **keywords)
    theirs = SyncVectorEnv([lambda: gym.make(env_id, **keywords)], autoreset_mode=ours.metadata["autoreset_mode"])
    assert np.array_equal(ours.reset(seed=3)[0], theirs.reset(seed=3)[0])
    generator = np.random.default_rng(0)
    for _ in range(400):
        actions = generator.uniform(-1.0, 1.0, (1, 6)).astype(np.float32)
        mine, other = ours.step(actions), theirs.step(actions)
        for index in (0, 2, 3):
            assert np.array_equal(mine[index], other[index])
        for infos in (mine[4], other[4]):
            (infos.get("final_info", infos) if mode == "SameStep" else infos).pop("episode_env", None)
        told = {key: value for key, value in mine[4].items() if not key.endswith("episode_env")}
        assert_same_info({key: value for key, value in other[4].items() if key != "_episode_env"}, told)
    assert ours.steps() == theirs.call("steps")[0]
    assert ours.steps()["target"] == 75


@settings(max_examples=25)
@given(
    lanes=st.integers(1, 9),
    budget=st.integers(1, 60),
    ratio=st.floats(0.05, 1.0),
    limit=st.integers(1, 15),
    mode=st.sampled_from(("NextStep", "SameStep")),
)
def test_budgets_are_spent_to_the_step_and_shares_are_kept(
    lanes: int, budget: int, ratio: float, limit: int, mode: str
) -> None:
    envs = make_scheduled_lanes(
        PAIRS["actuators"],
        lanes,
        target_budget=budget,
        target_ratio=ratio,
        time_limit=limit,
        autoreset_mode=mode,
        threads=1,
    )
    _, infos = envs.reset(seed=0)
    domain, again = infos["domain"], np.zeros(lanes, dtype=bool)
    counted, cuts = np.zeros(2, dtype=int), 0
    for _ in range(60):
        _, _, terminated, truncated, infos = envs.step(np.zeros((lanes, 6), dtype=np.float32))
        counted += np.bincount(domain[~again], minlength=2)
        told = infos.get("final_info", infos)
        cuts += int(told["budget_truncated"].sum()) if "budget_truncated" in told else 0
        again = (terminated | truncated) & (mode == "NextStep")
        domain = infos["domain"]
        total = counted.sum()
        assert counted[1] <= budget
        assert counted[1] <= ratio * total + limit * (ratio * lanes + 2)
    assert envs.steps() == {"source": counted[0], "target": counted[1]}
    assert counted[1] >= min(budget, ratio * counted.sum() - limit * (lanes + 1))
    assert cuts <= lanes
    envs.close()
    assert envs.ledger.reserved == 0


def test_lanes_that_start_together_do_not_all_enter_the_target() -> None:
    envs = make_scheduled_lanes(PAIRS["actuators"], 20, target_ratio=0.1, time_limit=10, threads=1)
    shares = [int(envs.reset(seed=0)[1]["domain"].sum())]
    for _ in range(40):
        shares.append(int(envs.step(np.zeros((20, 6), dtype=np.float32))[4]["domain"].sum()))
    assert set(shares) <= {1, 2, 3}


def test_lanes_that_act_in_the_target_alone_end_together_where_the_budget_does() -> None:
    envs = gym.make_vec("TransReward/Hopper-mass-2.0-target-v0", num_envs=4, target_budget=30)
    assert isinstance(envs, ScheduledLanes)
    envs.reset(seed=0)
    for step in range(7):
        _, _, _, truncated, infos = envs.step(np.zeros((4, 3), dtype=np.float32))
        assert truncated.all() == (step == 6)
        assert np.array_equal(infos["budget_truncated"], truncated)
    assert envs.steps() == {"source": 0, "target": 28}
    envs.step(np.zeros((4, 3), dtype=np.float32))  # they start again
    with pytest.raises(BudgetSpentError, match="spent after 28 steps, or what is left is less than a step for each"):
        envs.step(np.zeros((4, 3), dtype=np.float32))


def test_a_lane_that_rests_reserves_nothing() -> None:
    envs = gym.make_vec("TransReward/Hopper-mass-2.0-target-v0", num_envs=4, target_budget=400, threads=1)
    envs.reset(seed=0)
    envs.rest(np.array([True, False, False, False]))
    for _ in range(50):
        envs.step(np.zeros((4, 3), dtype=np.float32))
        assert envs.ledger.reserved <= 4
    envs.close()
    assert envs.ledger.reserved == 0


def test_an_episode_that_is_left_gives_its_reserved_step_back() -> None:
    envs = make_scheduled_lanes(PAIRS["falling"], 3, acts_in="target", target_budget=9, autoreset_mode="Disabled")
    for _ in range(20):
        envs.reset(seed=0)
    for _ in range(3):
        envs.step(np.zeros((3, 3), dtype=np.float32))
    assert envs.steps()["target"] == 9


def test_domains_whose_models_differ_in_size_are_stepped_one_by_one() -> None:
    pair = make_pair("HalfCheetah", {"kind": "obstacle", "x": 3.0}, validate=False)
    envs = gym.make_vec(
        "TransReward/HalfCheetah-broken-bthigh-mixture-v0", num_envs=12, pair=pair.to_json(), time_limit=5, threads=1
    )
    assert isinstance(envs, SyncVectorEnv)
    domains = [envs.reset(seed=0)[1]["domain"]]
    for _ in range(30):
        domains.append(envs.step(np.zeros((12, 6), dtype=np.float32))[4]["domain"])
    assert 0 < np.mean(domains) < 0.25
    assert sum(envs.steps().values()) == 12 * 25, "one step in six starts an episode"


def test_lanes_in_several_processes_count_in_one_folder(tmp_path) -> None:
    made = [
        make_scheduled_lanes(
            PAIRS["actuators"], 3, target_budget=40, target_ratio=0.5, time_limit=5, shared_state=str(tmp_path)
        )
        for _ in range(2)
    ]
    for envs in made:
        envs.reset(seed=0)
    for _ in range(40):
        for envs in made:
            envs.step(np.zeros((3, 6), dtype=np.float32))
    assert made[0].steps()["target"] == made[1].steps()["target"] == 40


def test_a_spec_makes_the_same_scheduled_lanes_again() -> None:
    envs = gym.make_vec("TransReward/Hopper-gravity-2.0-mixture-v0", num_envs=3, target_ratio=0.4)
    again = gym.make_vec(envs.spec)
    assert isinstance(again, ScheduledLanes)
    assert np.array_equal(envs.reset(seed=1)[1]["domain"], again.reset(seed=1)[1]["domain"])


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"num_envs": 0}, "`num_envs` must be"),
        ({"target_ratio": 1.5}, "`target_ratio` must lie"),
        ({"target_budget": 0}, "`target_budget` must be"),
        ({"time_limit": 0}, "`time_limit` must be"),
        ({"target_ration": 0.5}, "Unknown keyword 'target_ration'. Did you mean 'target_ratio'"),
        ({"thread": 1}, "Unknown keyword 'thread'. Did you mean 'threads'"),
        ({"lane_shifts": [(), ()]}, "`lane_shifts` alone is ambiguous. Make a pair instead"),
        ({"max_episode_steps": 5}, "Give `time_limit` in place of `max_episode_steps`"),
    ],
)
def test_settings_that_break_a_rule_are_refused(keywords: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gym.make_vec("TransReward/Hopper-gravity-2.0-mixture-v0", **{"num_envs": 2, **keywords})


@pytest.mark.parametrize("mode", ["SameStep", "NextStep"])
def test_lanes_whose_episodes_end_by_themselves_leave_no_other_one_in_mid_episode(mode: str) -> None:
    for budget in range(20, 120):
        envs = gym.make_vec(
            "TransReward/Hopper-mass-2.0-target-v0", num_envs=4, target_budget=budget, autoreset_mode=mode, threads=1
        )
        envs.reset(seed=budget)
        envs.action_space.seed(budget)
        elapsed, over = np.zeros(4, dtype=int), np.zeros(4, dtype=bool)
        with pytest.raises(BudgetSpentError):
            while True:
                _, _, terminated, truncated, _ = envs.step(envs.action_space.sample())
                elapsed += ~over if mode == "NextStep" else True
                over = terminated | truncated
                elapsed[over] = 0
        assert not elapsed.any(), "no lane is left in mid-episode"
        assert budget - 4 < envs.steps()["target"] <= budget
        envs.close()
