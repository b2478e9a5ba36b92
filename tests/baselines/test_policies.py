"""The policies that are shipped: chosen fairly, trained again, resumed, and measured."""

import json
from dataclasses import replace
from functools import partial
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.wrappers.test_policies import policy
from transreward_baselines.cli import main as transreward
from transreward_baselines.policies import recipes, train
from transreward_baselines.policies.between import between, bisect, wild
from transreward_baselines.policies.choose import (
    Candidate,
    Chosen,
    calm,
    choose_expert,
    choose_medium,
    choose_snapshots,
    share,
)
from transreward_baselines.policies.collate import collate
from transreward_baselines.policies.command import TrainPolicies
from transreward_baselines.policies.scores import FINAL_SEED, Score, score, score_random, spec_of
from transreward_baselines.policies.student import teach
from transreward_baselines.policies.train import Workplace, train_domain
from transreward_baselines.ppo import PPO, Args, main
from transreward_envs import PAIRS, SUITES, get_pair, get_suite, references
from transreward_envs.pairs.domains import domains_of, robot_of
from transreward_wrappers.networks import orthogonal_mlp
from transreward_wrappers.policies import GaussianPolicy, load_policy
from transreward_wrappers.policies.shipped import policy_path


@pytest.fixture(autouse=True)
def nothing_is_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nothing").mkdir()
    monkeypatch.setenv("TRANSREWARD_POLICIES", str(tmp_path / "nothing"))


def scored(mean: float) -> Score:
    return Score(mean=mean, low=mean - 1.0, high=mean + 1.0, episodes=100)


def candidates(*values: float) -> list[Candidate]:
    return [Candidate(policy=policy(about={"worth": value}), rough=value) for value in values]


def test_the_expert_is_chosen_by_other_episodes_than_those_that_count() -> None:
    tried: list[tuple[float, int, int]] = []

    def scorer(one: GaussianPolicy, *, episodes: int, seed: int) -> Score:
        worth = one.about["worth"]
        tried.append((worth, episodes, seed))
        return scored({90.0: 95.0, 100.0: 80.0}.get(worth, worth) - 5.0 * (seed == FINAL_SEED))

    chosen = choose_expert(candidates(10.0, 90.0, 60.0, 100.0), scorer)
    assert (chosen.policy.about["worth"], chosen.score.mean) == (90.0, 90.0)
    assert {worth for worth, *_ in tried[:-1]} == {60.0, 90.0, 100.0}
    assert FINAL_SEED not in {seed for *_, seed in tried[:-1]}
    assert tried[-1] == (90.0, 100, FINAL_SEED)


def test_a_medium_policy_is_between_a_third_and_a_half() -> None:
    def scorer(one: GaussianPolicy, *, episodes: int, seed: int) -> Score:
        lucky = 10.0 if one.about["worth"] == 42.0 and seed == FINAL_SEED else 0.0
        return scored(one.about["worth"] + lucky)

    chosen = choose_medium(candidates(0.0, 30.0, 42.0, 44.0, 90.0), scorer, low=0.0, high=100.0)
    assert chosen is not None
    assert chosen.score.mean == 52.0  # of the episodes that count, whatever they give
    assert choose_medium(candidates(0.0, 30.0, 60.0), scorer, low=0.0, high=100.0) is None
    assert (share(-40.0, low=-80.0, high=0.0), share(1.0, low=2.0, high=2.0)) == (0.5, 0.0)


def test_a_medium_policy_that_is_well_inside_by_trial_episodes_is_preferred_to_a_nearer_one() -> None:
    def scorer(one: GaussianPolicy, *, episodes: int, seed: int) -> Score:
        return scored({42.0: 48.0, 50.0: 40.0}.get(one.about["worth"], 0.0))

    for worths, expected in {(42.0, 50.0): 50.0, (42.0, 90.0): 42.0}.items():  # the edge of the range, if nothing else
        chosen = choose_medium(candidates(*worths), scorer, low=0.0, high=100.0)
        assert chosen is not None
        assert chosen.policy.about["worth"] == expected


def test_a_line_from_other_random_weights_is_tried_where_one_leads_past_the_range() -> None:
    best = policy(about={"steps": 7})
    whole = wild(best, seed=3).weights[0] - best.weights[0]

    def scorer(one: GaussianPolicy, *, episodes: int, seed: int) -> Score:
        way = one.weights[0] - best.weights[0]
        part = float((way * whole).sum() / (whole**2).sum())
        return scored(100.0 * (1.0 - part) if np.allclose(way, part * whole, atol=0.01) else 0.0)

    chosen = choose_medium([Candidate(policy=best, rough=100.0)], scorer, low=0.0, high=100.0)
    assert chosen is not None
    assert 33.0 <= chosen.score.mean <= 50.0


def test_a_medium_policy_that_is_out_of_range_or_missing_says_so() -> None:
    inside, outside = (Chosen(policy=policy(), score=scored(mean)) for mean in (40.0, 54.0))
    assert train.remark_on_medium(inside, low=0.0, high=100.0) is None
    assert "has gone 0.540 of the way" in str(train.remark_on_medium(outside, low=0.0, high=100.0))
    assert "was found" in str(train.remark_on_medium(None, low=0.0, high=100.0))


def test_a_range_that_training_stepped_over_is_met_on_the_line_between_two_policies() -> None:
    worse, better = (policy(log_std=np.full(2, value, np.float32), about={"steps": 7}) for value in (-3.0, -1.0))

    def scorer(one: GaussianPolicy, *, episodes: int, seed: int) -> Score:
        return scored(50.0 * (3.0 + float(one.log_std[0])))

    other = Candidate(policy=policy(observations=5), rough=30.0)
    tried = [Candidate(policy=worse, rough=0.0), Candidate(policy=better, rough=100.0)]
    chosen = choose_medium([*tried, other], scorer, low=0.0, high=100.0)
    assert chosen is not None
    assert 100.0 / 3.0 <= chosen.score.mean <= 50.0
    assert chosen.policy.about["between"] == {"steps": [7, 7], "weight": chosen.score.mean / 100.0}
    assert choose_medium([tried[1], other], scorer, low=0.0, high=100.0) is None  # no other of its shape
    assert choose_medium(tried[:1], scorer, low=0.0, high=100.0) is None
    assert bisect(worse, better, lambda one: 100.0 * (one is better), low=40.0, high=50.0) is None
    with pytest.raises(ValueError, match="can be averaged if they have one shape"):
        between(worse, policy(observations=5), 0.5)


def test_a_range_that_training_began_above_is_met_on_the_line_from_random_weights() -> None:
    best = policy(about={"steps": 7})
    first = wild(best).weights[0]

    def scorer(one: GaussianPolicy, *, episodes: int, seed: int) -> Score:
        apart = np.linalg.norm(one.weights[0] - best.weights[0]) / np.linalg.norm(first - best.weights[0])
        return scored(100.0 * (1.0 - float(apart)))

    chosen = choose_medium([Candidate(policy=best, rough=90.0)], scorer, low=0.0, high=90.0)
    assert chosen is not None
    assert 30.0 <= chosen.score.mean <= 45.0
    assert chosen.policy.about["between"]["steps"] == [None, 7]


def test_random_weights_swing_from_bound_to_bound() -> None:
    observations = np.random.default_rng(0).normal(size=(1_000, 4)).astype(np.float32)
    tame = policy()
    first, again, other = wild(tame), wild(tame), wild(tame, seed=1)
    assert float((np.abs(first(observations)) == 1.0).mean()) > 0.5
    assert np.array_equal(first(observations), again(observations))
    assert not np.array_equal(first(observations), other(observations))


def test_parameters_between_two_policies_are_their_mean() -> None:
    first, second = policy(1), policy(2)
    found = between(first, second, 0.25)
    for name in ("weights", "biases"):
        for ours, *theirs in zip(getattr(found, name), getattr(first, name), getattr(second, name), strict=True):
            np.testing.assert_allclose(ours, 0.75 * theirs[0] + 0.25 * theirs[1], rtol=1e-6)
    for name in ("log_std", "observation_mean", "observation_variance"):
        np.testing.assert_allclose(
            getattr(found, name), 0.75 * getattr(first, name) + 0.25 * getattr(second, name), rtol=1e-6
        )


def test_a_student_acts_as_its_teacher_does_and_balances(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRANSREWARD_POLICIES")
    teacher, spec = load_policy("InvertedPendulum", "source", "expert"), spec_of("InvertedPendulum")
    student = teach(teacher, spec, hidden=16, activation="relu", seed=3, gradient_steps=200)
    assert [weight.shape for weight in student.weights] == [(16, 4), (16, 16), (1, 16)]
    assert (student.squash, student.activation, student.about) == ("clip", "relu", teacher.about)
    assert score(student, spec, episodes=10).mean == 1000.0


@pytest.mark.parametrize(("goal", "factor"), [(10.0, 1.0), (70.0, 0.25), (1_000.0, 1.0 / 64.0)])
def test_a_policy_keeps_as_much_noise_as_lets_it_reach_a_goal(goal: float, factor: float) -> None:
    noisy = policy(log_std=np.array([0.0, -1.0], np.float32))

    def scorer(one: GaussianPolicy, *, episodes: int, seed: int) -> Score:
        return scored(100.0 - 100.0 * float(np.exp(one.log_std[0])))

    quiet = calm(noisy, scorer, goal=goal if goal != 10.0 else -1.0)
    np.testing.assert_allclose(np.exp(quiet.policy.log_std), factor * np.exp(noisy.log_std), rtol=1e-5)
    assert quiet.score.mean == pytest.approx(100.0 - 100.0 * factor)


def test_snapshots_are_spread_from_random_to_expert() -> None:
    many = candidates(*np.linspace(0.0, 100.0, 101))
    found = [candidate.rough for candidate in choose_snapshots(many, low=0.0, high=100.0)]
    np.testing.assert_allclose(found, np.arange(6.25, 100.0, 12.5), atol=1.0)
    assert len(choose_snapshots(many[:3], low=0.0, high=100.0)) == 3


def test_a_score_is_the_mean_of_its_episodes_with_an_interval_around_it() -> None:
    spec = spec_of("Hopper")
    first = score(policy(observations=11, actions=3), spec, episodes=5)
    assert first == score(policy(observations=11, actions=3), spec, episodes=5)
    assert first.low <= first.mean <= first.high
    assert score_random(spec_of("InvertedPendulum")).mean < 20.0


SMALL = {"total_steps": 2_048, "num_envs": 4, "num_steps": 32, "hidden": 8, "epochs": 1}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(recipes.SOURCES, "InvertedPendulum", SMALL)
    monkeypatch.setitem(recipes.TARGETS, "InvertedPendulum", 1_024)
    monkeypatch.setattr(train, "EVALUATIONS", {"source": 4, "target": 2})


@pytest.mark.usefixtures("small")
def test_policies_of_a_robot_and_of_its_targets_are_trained_and_measured(tmp_path: Path) -> None:
    place = Workplace(runs=tmp_path / "runs", shelf=tmp_path / "shelf")
    with pytest.raises(ValueError, match="starts from the expert of 'InvertedPendulum'. Train that first"):
        train_domain("InvertedPendulum-delay-3-target", place)
    for domain in ("InvertedPendulum", "InvertedPendulum-delay-3-target"):
        train_domain(domain, place)
        written = json.loads(place.scores(domain).read_text())
        assert {"random", "expert"} <= set(written)
        expert = GaussianPolicy.load(tmp_path / f"shelf/InvertedPendulum/{domain}-expert.safetensors")
        assert expert.about["score"]["episodes"] == 100
        assert (
            expert.about["score"]["mean"]
            == written["expert"]["mean"]
            == score(expert, spec_of(domain)).to_json()["mean"]
        )
        assert {"algorithm", "steps", "seed", "versions", "share", "trained_in", "drawn"} <= set(expert.about)
        assert ("medium" in written) == (place.shelf / f"InvertedPendulum/{domain}-medium.safetensors").exists()
        assert "medium" in written or "medium_remark" in written
    shelf = {path.name for path in (tmp_path / "shelf/InvertedPendulum").iterdir()}
    assert "InvertedPendulum-snapshot-0.safetensors" in shelf
    before = place.scores("InvertedPendulum").stat().st_mtime_ns
    train_domain("InvertedPendulum", place)  # nothing is left to do
    assert place.scores("InvertedPendulum").stat().st_mtime_ns == before


@pytest.mark.usefixtures("small")
def test_what_sac_found_is_taught_to_a_network_that_ppo_goes_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {"total_steps": 1_024, "num_envs": 4, "hidden": 12, "learning_starts": 128, "batch_size": 16}
    monkeypatch.setitem(recipes.SAC_SOURCES, "InvertedPendulum", few)
    monkeypatch.setattr(train, "teach", partial(teach, gradient_steps=10))
    place = Workplace(runs=tmp_path / "runs", shelf=tmp_path / "shelf")
    for domain in ("InvertedPendulum", "InvertedPendulum-mass-2.0-target"):
        train_domain(domain, place)
    shelf = tmp_path / "shelf/InvertedPendulum"
    expert = GaussianPolicy.load(shelf / "InvertedPendulum-expert.safetensors")
    assert (expert.about["algorithm"], expert.squash, len(expert.weights[0])) == ("sac", "clip", 8)
    assert expert.about["score"] == score(expert, spec_of("InvertedPendulum")).to_json()
    snapshot = GaussianPolicy.load(shelf / "InvertedPendulum-snapshot-0.safetensors")
    assert (snapshot.about["algorithm"], snapshot.squash, len(snapshot.weights[0])) == ("sac", "tanh", 12)


@pytest.mark.usefixtures("small")
def test_the_command_line_collates_what_was_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Workplace(runs=tmp_path / "runs", shelf=tmp_path / "shelf")
    for domain in ("InvertedPendulum", "InvertedPendulum-mass-2.0-target"):
        train_domain(domain, place)
    transreward(
        [
            "policies",
            "train",
            "--domains",
            "InvertedPendulum-mass-2.0-target",
            "--runs",
            str(place.runs),
            "--shelf",
            str(place.shelf),
        ]
    )
    table = json.loads((place.shelf / "measured.json").read_text())
    assert set(table["domains"]) == {"InvertedPendulum", "InvertedPendulum-mass-2.0-target"}
    assert set(table["pairs"]) == {"InvertedPendulum-mass-2.0"}
    assert table["pairs"]["InvertedPendulum-mass-2.0"]["source_expert"]["episodes"] == 100
    table["pairs"]["InvertedPendulum-mass-2.0"] = {"source_expert": "as it was"}
    (place.shelf / "measured.json").write_text(json.dumps(table))
    assert collate(place, place.shelf / "measured.json") == table  # nothing is new
    path = place.scores("InvertedPendulum")
    path.write_text(json.dumps({**json.loads(path.read_text()), "random": {"mean": 0.0}}))
    table = collate(place, place.shelf / "measured.json")
    assert table["pairs"]["InvertedPendulum-mass-2.0"]["source_expert"]["episodes"] == 100
    table["domains"]["InvertedPendulum"]["random"]["mean"] = 1.0
    monkeypatch.setattr(references, "_table", lambda name: table)
    transreward(["policies", "list"])
    assert "InvertedPendulum-mass-2.0-target" in capsys.readouterr().out


@pytest.mark.usefixtures("small")
def test_a_target_is_tried_in_all_its_ways_and_only_one_afresh_begins_without_the_expert(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Workplace(runs=tmp_path / "runs", shelf=tmp_path / "shelf")
    train_domain("InvertedPendulum", place)
    ways = (recipes.CAREFUL, recipes.PATIENT, recipes.AFRESH, recipes.NEAREST)
    monkeypatch.setitem(recipes.ATTEMPTS, "InvertedPendulum", ways)
    near = policy_path("InvertedPendulum", "snapshot-0", place.shelf)
    monkeypatch.setattr(train, "_nearest", lambda expert, tried: near)
    train_domain("InvertedPendulum-mass-2.0-target", place)
    folder = place.runs / "runs" / "InvertedPendulum-mass-2.0-target"
    told = {path.parent.name: json.loads(path.read_text()) for path in folder.glob("*/config.json")}
    expert = str(place.shelf / "InvertedPendulum/InvertedPendulum-expert.safetensors")
    assert {name: config["start_from"] for name, config in told.items()} == {
        "careful": expert,
        "patient": expert,
        "afresh": None,
        "nearest": str(near),
    }
    assert {config["total_steps"] for config in told.values()} == {1_024}
    assert (told["careful"]["log_std"], told["patient"]["gamma"]) == (-1.5, 0.995)


def test_domains_that_pay_for_something_else_begin_with_the_expert_of_the_same_dynamics(tmp_path: Path) -> None:
    place, experts = (
        Workplace(runs=tmp_path / "runs", shelf=tmp_path / "shelf"),
        ("Hopper", "Hopper-mass-2.0-target", "HalfCheetah"),
    )
    for name in experts:
        policy(observations=11, actions=3).save(policy_path(name, "expert", place.shelf))
    begins = {
        "Hopper-sparse-mass-2.0-target": ("Hopper-mass-2.0-target", ["careful"]),
        "Hopper-sparse-mass-0.5-target": ("Hopper", ["careful"]),
        "Hopper-sparse-mass-0.5-source": ("Hopper", ["careful"]),
        "Hopper-velocity-3.0-target": ("Hopper", ["nearest", "patient"]),
        "HalfCheetah-velocity-3.0-target": ("HalfCheetah", ["careful", "afresh"]),
        "Hopper-backward-target": ("Hopper", ["afresh"]),
        "Hopper-mass-2.0-target": ("Hopper", ["patient"]),
    }
    for domain, (expert, attempts) in begins.items():
        assert train._beginning(domain, place) == policy_path(expert, "expert", place.shelf)
        assert [attempt.name for attempt in train._attempts(domain)] == attempts


def test_an_attempt_may_begin_with_the_plain_robots_policy_that_comes_nearest(tmp_path: Path) -> None:
    place, robot = Workplace(runs=tmp_path / "runs", shelf=tmp_path / "shelf"), "InvertedPendulum"
    shipped = resources.files("transreward_assets") / "policies" / robot / f"{robot}-expert.safetensors"
    good, expert = GaussianPolicy.load(Path(str(shipped))), policy_path(robot, "expert", place.shelf)
    idle = replace(good, weights=[0.0 * weight for weight in good.weights])
    idle.save(expert)
    for index, one in enumerate((idle, good)):
        one.save(policy_path(robot, f"snapshot-{index}", place.shelf))
    domain = f"{robot}-mass-2.0-target"
    assert train._nearest(expert, train._try_source(robot, domain, place)) == policy_path(
        robot, "snapshot-1", place.shelf
    )
    policy(observations=4, actions=1).save(expert)
    assert train._nearest(expert, train._try_source(robot, domain, place)) == expert, "the others are of another shape"


def test_an_expert_is_compared_with_the_plain_robots_where_both_are_paid_for_the_same(tmp_path: Path) -> None:
    place = Workplace(runs=tmp_path / "runs", shelf=tmp_path / "shelf")
    policy(about={"score": {"mean": 70.0}}).save(policy_path("Hopper", "expert", place.shelf))
    assert train.comparable_score("Hopper-mass-2.0-target", place) == 70.0
    assert train.comparable_score("Hopper-velocity-3.0-target", place) is None
    assert train.remark_on(scored(-50.0), scored(-80.0), None) is None
    assert "no better than random" in str(train.remark_on(scored(-79.0), scored(-80.0), None))


@pytest.mark.parametrize(
    ("expert", "message"), [(1.5, "no better than random"), (20.0, "is 20 % of the plain robot's"), (34.0, None)]
)
def test_an_expert_that_came_to_little_says_so(expert: float, message: str | None) -> None:
    remark = train.remark_on(scored(expert), scored(0.0), plain=100.0)
    assert (remark is None) if message is None else (message in str(remark))


@pytest.mark.usefixtures("small")
def test_a_remark_is_part_of_a_policy_and_of_its_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Workplace(runs=tmp_path / "runs", shelf=tmp_path / "shelf")
    train_domain("InvertedPendulum", place)
    monkeypatch.setattr(train, "comparable_score", lambda domain, workplace: 1e9)
    domain = "InvertedPendulum-delay-3-target"
    train_domain(domain, place)
    remark = json.loads(place.scores(domain).read_text())["remark"]
    assert GaussianPolicy.load(place.shelf / f"InvertedPendulum/{domain}-expert.safetensors").about["remark"] == remark


def test_a_policy_can_be_started_from(tmp_path: Path) -> None:
    shared = {
        "env_id": "InvertedPendulum-v5",
        "num_envs": 4,
        "num_steps": 16,
        "epochs": 1,
        "eval_episodes": 2,
        "device": "cpu",
    }
    main(Args(**shared, total_steps=256, eval_every=128, keep_policies=True, out=tmp_path / "first"))
    kept = sorted((tmp_path / "first/policies").iterdir())
    assert [path.stem for path in kept] == ["000000000128", "000000000256"]
    again = {**shared, "start_from": kept[-1], "keep_policies": True, "eval_every": 128}
    main(Args(**again, total_steps=128, value_steps=1_000, log_std=-9.0, out=tmp_path / "still"))
    before, after = GaussianPolicy.load(kept[-1]), GaussianPolicy.load(next((tmp_path / "still/policies").iterdir()))
    for ours, theirs in zip(before.weights, after.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)  # the value alone has learned
    main(Args(**again, total_steps=128, out=tmp_path / "moved"))
    moved = GaussianPolicy.load(next((tmp_path / "moved/policies").iterdir()))
    assert not np.array_equal(before.weights[0], moved.weights[0])
    with pytest.raises(ValueError, match="must have this run's activation, 'relu'"):
        main(Args(**again, activation="relu", out=tmp_path / "other"))
    with pytest.raises(ValueError, match="The network's layers have the shapes"):
        main(Args(**again, hidden=32, out=tmp_path / "wider"))


@pytest.mark.parametrize("env_id", ["HalfCheetah-obstacle-target-v0", "HalfCheetah-sparse-mass-2.0-reward-transfer-v0"])
def test_a_plain_policy_goes_on_where_observations_begin_with_a_position(env_id: str, tmp_path: Path) -> None:
    plain = policy(observations=17, actions=6, about={"steps": 0})
    plain.save(tmp_path / "plain.safetensors")
    observations = np.random.default_rng(0).normal(size=(5, 18))
    agent = PPO(Args(env_id=f"TransReward/{env_id}", hidden=8), 18, 6, num_envs=2)
    network = orthogonal_mlp((18, 8, 6), torch.nn.Tanh, gain=1.0)
    agent.policy = network
    agent.start_from(tmp_path / "plain.safetensors", f"TransReward/{env_id}")
    np.testing.assert_allclose(agent.act(observations), plain.as_saved()(observations[:, 1:]), atol=1e-5)
    with pytest.raises(ValueError, match="must be of the domain's own robot: the domain has observations of 18"):
        agent.start_from(tmp_path / "plain.safetensors", "TransReward/HalfCheetah-v0")


def test_the_sources_expert_sees_what_it_knows_where_observations_hold_more(tmp_path: Path) -> None:
    plain = policy(observations=17, actions=6, about={"steps": 0})
    for domain in ("HalfCheetah-obstacle-source", "HalfCheetah"):
        plain.save(tmp_path / f"HalfCheetah/{domain}-expert.safetensors")
    pair = get_pair("HalfCheetah-obstacle")
    place = Workplace(runs=tmp_path / "runs", shelf=tmp_path)
    knows = plain.as_saved().padded(18, front=1)
    assert train.measure_transfer(pair, place) == score(knows, pair.spec("target"), episodes=100)
    (candidate,) = train._try_source("HalfCheetah", "HalfCheetah-obstacle-target", place).values()
    seen = np.random.default_rng(0).normal(size=(5, 18))
    np.testing.assert_allclose(candidate.policy(seen), plain.as_saved()(seen[:, 1:]), atol=1e-5)


def test_there_is_a_recipe_for_every_robot_of_the_suites_with_policies() -> None:
    assert set(recipes.SOURCES) == set(recipes.TARGETS)
    for suite in ("odrl", "dara", "darc", "core", "sparse", "cross"):
        assert suite in SUITES
        for domain in domains_of(pair for pair in PAIRS.values() if suite in pair.suites):
            assert robot_of(domain) in recipes.SOURCES


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "Name what to train"),
        ({"domains": ("Hoper",)}, "Unknown domain 'Hoper'"),
        ({"suite": ("odrl",), "workers": 0}, "`workers` must be an integer >= 1"),
        ({"suite": ("odrl",), "scale": 0.0}, "`scale` must be finite and > 0"),
    ],
)
def test_bad_settings_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainPolicies(**changes)
    with pytest.raises(ValueError, match="'AntMaze' has none. Train your own"):
        TrainPolicies(domains=("AntMaze",)).names()


def test_domains_come_after_the_robot_that_they_start_from(tmp_path: Path) -> None:
    names = TrainPolicies(suite=("dara",), domains=("Swimmer-mass-2.0-target",)).names()
    for name in names:
        assert names.index(robot_of(name)) <= names.index(name)
    assert "Swimmer" in names
    assert TrainPolicies(domains=("Hopper-mass-2.0-source", "Hopper-dara-mass-target")).names() == ["Hopper"]
    policy().save(tmp_path / "nothing" / "Swimmer" / "Swimmer-expert.safetensors")
    assert TrainPolicies(domains=("Swimmer", "Swimmer-mass-2.0-target"), missing=True).names() == [
        "Swimmer-mass-2.0-target"
    ]
    assert TrainPolicies(domains=("Swimmer-mass-2.0-target",)).names() == ["Swimmer-mass-2.0-target"]


def test_a_domain_whose_expert_was_never_measured_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("Swimmer", "Swimmer-mass-2.0-target"):
        policy().save(tmp_path / "nothing" / "Swimmer" / f"{name}-expert.safetensors")
    monkeypatch.setattr(references, "_table", lambda name: {"domains": {"Swimmer": {}}, "pairs": {}})
    names = TrainPolicies(domains=("Swimmer", "Swimmer-mass-2.0-target"), missing=True).names()
    assert names == ["Swimmer-mass-2.0-target"]


@pytest.mark.parametrize("suite", ["odrl", "dara", "darc", "core", "sparse", "cross"])
def test_what_ships_is_measured_and_what_is_measured_ships(suite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRANSREWARD_POLICIES")
    table = references.measured_returns()["domains"]
    for domain in domains_of(get_suite(suite)):
        for level in ("medium", "expert"):
            path = policy_path(domain, level)
            assert path.exists() == (level in table.get(domain, {})), (domain, level)
            if path.exists():
                about = GaussianPolicy.load(path).about
                assert about["score"].items() <= table[domain][level].items(), (domain, level)
