"""Plans: what a command means, and how a benchmark's directory grows or refuses."""

import json
from pathlib import Path

import pytest

from transreward_baselines.benchmark.choose import make_plan
from transreward_baselines.benchmark.command import BenchmarkArgs
from transreward_baselines.benchmark.plan import Plan, claim, read_plan
from transreward_baselines.run_directory import RunDirectoryError
from transreward_envs import get_suite

PAIR = "InvertedPendulum-gravity-2.0"


def plan(**changes: object) -> Plan:
    return make_plan(BenchmarkArgs(**{"pairs": (PAIR,), "seeds": (0,), **changes}))


def test_there_is_a_run_for_each_pair_method_agent_and_seed_seed_by_seed(tmp_path: Path) -> None:
    pairs = (PAIR, "InvertedPendulum-mass-2.0", PAIR)
    made = plan(pairs=pairs, methods=("source", "darc:eta=0.1"), agents=("ppo", "sb3-sac"), seeds=(3, 1, 3))
    jobs = list(made.jobs(tmp_path))
    assert len(jobs) == 2 * 2 * 2 * 2
    assert len({job.directory for job in jobs}) == len({job.name for job in jobs}) == 16
    assert [job.seed for job in jobs] == [3] * 8 + [1] * 8
    assert {job.directory.relative_to(tmp_path).parts[0] for job in jobs} == {"runs"}


def test_a_suite_is_all_of_its_pairs_that_every_contender_can_train_in(capsys: pytest.CaptureFixture[str]) -> None:
    made = plan(suite=("cross",), pairs=(), methods=("source",))
    assert len(made.pairs) > 5
    assert all(pair.source_robot is None for pair in made.pairs)
    message = "Left out, because a contender would act with the source's other robot: Walker2d-from-Hopper"
    assert message in capsys.readouterr().out
    everything = plan(suite=("cross",), pairs=(), methods=("target", "reward-transfer:lam=1"))
    assert len(everything.pairs) == len(get_suite("cross"))
    assert not capsys.readouterr().out
    assert len(plan(suite=("darc",), pairs=("Ant-broken-hip_4",), methods=("source",)).pairs) == 5


def test_a_sweep_is_of_every_robot_and_says_what_it_leaves_out(capsys: pytest.CaptureFixture[str]) -> None:
    robots = ("InvertedPendulum", "InvertedDoublePendulum")
    made = plan(pairs=(), sweep=("mass", "0.5:1.5:3"), robots=robots)
    assert [pair.robot for pair in made.pairs] == [robot for robot in robots for _ in range(2)]
    assert made.sweeps == {"mass": {f"{robot}-mass-{scale}": scale for robot in robots for scale in (0.5, 1.5)}}
    assert "Left out, because the shift changes nothing there: mass 1.0." in capsys.readouterr().out


def test_a_directory_takes_more_pairs_methods_agents_seeds_and_sweeps(tmp_path: Path) -> None:
    claim(tmp_path / "out", plan(methods=("source",)))
    claim(tmp_path / "out", plan(methods=("source",)))
    first = read_plan(tmp_path / "out")
    more = {"pairs": ("InvertedPendulum-mass-2.0",), "methods": ("darc",), "agents": ("sac",), "seeds": (1, 0)}
    claim(tmp_path / "out", plan(**more, sweep=("gravity", "0.5:1.5:2"), robots=("InvertedPendulum",)))
    claim(tmp_path / "out", plan(methods=("source",), sweep=("gravity", "1.5:2.5:2"), robots=("InvertedPendulum",)))
    both = read_plan(tmp_path / "out")
    assert both["terms"] == first["terms"]
    assert (both["methods"], both["agents"], both["seeds"]) == (["source", "darc"], ["ppo", "sac"], [0, 1])
    names = [PAIR, "InvertedPendulum-mass-2.0", *(f"InvertedPendulum-gravity-{scale}" for scale in (0.5, 1.5, 2.5))]
    assert list(both["pairs"]) == names
    assert both["sweeps"] == {"gravity": {f"InvertedPendulum-gravity-{scale}": scale for scale in (0.5, 1.5, 2.5)}}


def test_a_directory_on_other_terms_says_what_differs(tmp_path: Path) -> None:
    claim(tmp_path, plan(target_steps=500))
    before = (tmp_path / "benchmark.json").read_text()
    message = r"has others \(target_steps: 500 there, 600 asked for; eval_episodes: 10 there, 3 asked for\)"
    with pytest.raises(RunDirectoryError, match=message):
        claim(tmp_path, plan(target_steps=600, eval_episodes=3, seeds=(7,)))
    assert (tmp_path / "benchmark.json").read_text() == before
    content = json.loads(before)
    content["pairs"][PAIR]["target"][0]["scale"] = 3.0
    (tmp_path / "benchmark.json").write_text(json.dumps(content))
    with pytest.raises(RunDirectoryError, match=f"the pair '{PAIR}' is another one"):
        claim(tmp_path, plan(target_steps=500))


def test_a_directory_that_is_no_benchmarks_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(RunDirectoryError, match=r"holds files and no benchmark\.json"):
        claim(tmp_path, plan())
    (tmp_path / "benchmark.json").write_text("[]x")
    with pytest.raises(RunDirectoryError, match="is not a benchmark's plan"):
        claim(tmp_path, plan())
    (tmp_path / "benchmark.json").write_text('{"format": 9}')
    with pytest.raises(RunDirectoryError, match="is of format 9; this version reads 1"):
        claim(tmp_path, plan())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pairs": ()}, "Name what to train in"),
        ({"pairs": ("Hopper-gravty-2.0",)}, "Unknown pair 'Hopper-gravty-2.0'. Did you mean 'Hopper-gravity-2.0'"),
        ({"pairs": ("Walker2d-from-Hopper",)}, "another robot, which 'source' would act with. Leave out the one"),
        ({"suite": ("odlr",)}, "Unknown suite 'odlr'. Did you mean 'odrl'"),
        ({"agents": ("pppo",)}, "Unknown agent 'pppo'. Did you mean 'ppo'"),
        ({"methods": ("mixtur",)}, "Unknown method 'mixtur'. Did you mean 'mixture'"),
        ({"methods": ("darc:eta=-1",)}, "`eta` must be finite and >= 0; got -1"),
        ({"methods": ("reward-transfer",), "source_steps": 10}, "'reward-transfer' takes 100000 in the source"),
        ({"target_steps": 0}, "`target_steps` must be an integer >= 1; got 0"),
        ({"workers": 0}, "`workers` must be an integer >= 1; got 0"),
        ({"seeds": (0, -1)}, "`seeds` must be an integer >= 0; got -1"),
        ({"seeds": ()}, "`seeds` must name at least one"),
        ({"sweep": ("mass", "1:2:3")}, "`sweep` and `robots` go together"),
        ({"robots": ("Hopper",)}, "`sweep` and `robots` go together"),
        ({"sweep": ("mass", "1:2"), "robots": ("Hopper",)}, "A range is lowest:highest:count"),
        ({"sweep": ("mass", "1:2:3"), "robots": ("Hoper",)}, "Unknown robot 'Hoper'. Did you mean 'Hopper'"),
        ({"imports": ("nowhere",)}, "`imports` names modules that can be imported; 'nowhere' cannot"),
    ],
)
def test_a_wrong_command_says_what_is_wrong(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plan(**changes)
