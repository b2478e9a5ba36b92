"""The policies that are shipped: trained again, resumed, measured, and remarked on."""

import json
from functools import partial
from pathlib import Path

import pytest

from tests.baselines.policies.test_choose import scored
from tests.wrappers.test_policies import policy
from transreward_baselines.cli import main as transreward
from transreward_baselines.policies import recipes, train
from transreward_baselines.policies.choose import (
    Chosen,
)
from transreward_baselines.policies.collate import collate
from transreward_baselines.policies.command import TrainPolicies
from transreward_baselines.policies.scores import score, spec_of
from transreward_baselines.policies.student import teach
from transreward_baselines.policies.train import Workplace, train_domain
from transreward_envs import get_suite, references
from transreward_envs.pairs.domains import domains_of, robot_of
from transreward_wrappers.policies import GaussianPolicy, load_policy
from transreward_wrappers.policies.shipped import policy_path


def test_a_medium_policy_that_is_out_of_range_or_missing_says_so() -> None:
    inside, outside = (Chosen(policy=policy(), score=scored(mean)) for mean in (40.0, 54.0))
    assert train.remark_on_medium(inside, low=0.0, high=100.0) is None
    assert "has gone 0.540 of the way" in str(train.remark_on_medium(outside, low=0.0, high=100.0))
    assert "was found" in str(train.remark_on_medium(None, low=0.0, high=100.0))


def test_a_student_acts_as_its_teacher_does_and_balances(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRANSREWARD_POLICIES")
    teacher, spec = load_policy("InvertedPendulum", "source", "expert"), spec_of("InvertedPendulum")
    student = teach(teacher, spec, hidden=16, activation="relu", seed=3, gradient_steps=200)
    assert [weight.shape for weight in student.weights] == [(16, 4), (16, 16), (1, 16)]
    assert (student.squash, student.activation, student.about) == ("clip", "relu", teacher.about)
    assert score(student, spec, episodes=10).mean == 1000.0


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
