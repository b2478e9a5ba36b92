"""The benchmark of stepping keeps what it measured, and its page is fresh."""

import re
from pathlib import Path

import pytest

from benchmarks import report, stepping
from benchmarks.scaling import slope
from benchmarks.tables import read

SHORT = ["--table", "--robots", "Hopper", "--lanes", "2", "--threads", "1", "--rounds", "1", "--window", "0.01"]


def test_what_was_measured_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "speed"
    run = [*SHORT, "--out", str(folder), "--contenders", "raw physics", "ours"]
    stepping.main(run)
    before = (folder / "stepping.csv").read_text()
    stepping.main(run)
    assert (folder / "stepping.csv").read_text() == before
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
    assert stepping.OUT.with_suffix(".md").read_text() == report.page(stepping.OUT), (
        "run `python -m benchmarks.stepping --report`"
    )
