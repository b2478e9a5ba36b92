"""The benchmark of stepping keeps what it measured, and its page is fresh."""

import json
import re
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest

from benchmarks import machine, report, scaling, stepping
from benchmarks.contenders import vector
from benchmarks.scaling import slope
from benchmarks.tables import put, read
from transreward_envs.batched import BatchedDomain

PUBLISHED = Path(__file__).parents[2] / "docs" / "speed"

SHORT = ["--table", "--robots", "Hopper", "--lanes", "2", "--threads", "1", "--rounds", "1", "--window", "0.01"]


def test_what_was_measured_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "speed"
    run = [*SHORT, "--out", str(folder), "--contenders", "raw physics", "ours"]
    stepping.main(run)
    before = (folder / "stepping.csv").read_text()
    about = json.loads((folder / "machine.json").read_text())
    (folder / "machine.json").write_text(json.dumps({**about, "date": "2020-01-01"}))
    stepping.main(run)
    assert (folder / "stepping.csv").read_text() == before
    assert "2020-01-01" in (folder / "machine.json").read_text(), "nothing was measured that day"
    stepping.main([*run, "ours, a world a lane", "ours, without mujoco.batch", "SyncVectorEnv"])
    assert (folder / "stepping.csv").read_text().startswith(before)
    assert [row["contender"] for row in read(folder / "stepping.csv")] == [
        "raw physics",
        "ours",
        "ours, a world a lane",
        "ours, without mujoco.batch",
        "SyncVectorEnv",
    ]
    row = re.search(r"^\| Hopper \|.*$", (tmp_path / "speed.md").read_text(), flags=re.MULTILINE)
    assert row[0].endswith(" | - | - | - |")  # two with a process a lane, and EnvPool, were not asked for
    assert (folder / "stepping.svg").exists()


def test_the_fitted_power_is_that_of_the_cost() -> None:
    lanes = [16.0, 64.0, 256.0]
    assert slope(lanes, [3.0 * count**1.1 for count in lanes]) == pytest.approx(1.1)


def test_the_page_about_speed_is_fresh() -> None:
    assert PUBLISHED.with_suffix(".md").read_text() == report.page(PUBLISHED), (
        "run `python -m benchmarks.stepping --report --out docs/speed`"
    )


def test_what_is_compared_is_of_one_machine(tmp_path: Path) -> None:
    machine.note(tmp_path)
    before = json.loads((tmp_path / "machine.json").read_text())
    machine.note(tmp_path)
    (tmp_path / "machine.json").write_text(json.dumps({**before, "mujoco": "3.0.0"}))
    with pytest.raises(ValueError, match=r"another \(mujoco: '3.0.0' there"):
        stepping.main([*SHORT, "--out", str(tmp_path)])
    assert not (tmp_path / "stepping.csv").exists()


def test_a_table_of_other_columns_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    put(path, {"robot": "Hopper", "old": 1}, key=("robot",))
    before = path.read_text()
    with pytest.raises(ValueError, match="has robot, old, of another version"):
        put(path, {"robot": "Ant", "new": 2}, key=("robot",))
    assert path.read_text() == before


def test_steps_that_only_start_lanes_again_are_not_counted() -> None:
    limit, lanes = 5, 4
    envs = BatchedDomain(num_envs=lanes, robot="InvertedPendulum", threads=1, max_episode_steps=limit)
    contender = vector(envs, lanes)
    envs.step = lambda _: (None, None, *next(ends))  # type: ignore[method-assign]
    over, going = np.ones(lanes, dtype=bool), np.zeros(lanes, dtype=bool)
    ends = cycle([(going, going), (over, going), (going, going)])
    calls = 320 // lanes
    assert contender.step() == lanes * (calls - len(range(2, calls, 3)))
    contender.close()


def test_a_robot_of_which_sizes_are_missing_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaling, "LANES", (1, 2))
    monkeypatch.setattr(scaling, "BEFORE", 1)
    path = tmp_path / "scaling.csv"
    scaling.measure(path, ["Hopper"], rounds=1)
    whole = read(path)
    assert [row["lanes"] for row in whole] == ["1", "2"]
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:2]))
    scaling.measure(path, ["Hopper"], rounds=1)
    assert [row["lanes"] for row in read(path)] == ["1", "2"]
    before = path.read_bytes()
    scaling.measure(path, ["Hopper"], rounds=1)
    assert path.read_bytes() == before
