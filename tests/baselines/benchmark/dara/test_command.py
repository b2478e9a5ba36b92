"""The command as a user types it, with a script that trains nothing in place of the algorithms."""

import csv
import errno
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.baselines.benchmark.dara.conftest import Script
from transreward_baselines import awr
from transreward_baselines.benchmark.dara import work
from transreward_baselines.benchmark.dara.algorithms import ALGORITHMS, load_algorithm
from transreward_baselines.benchmark.dara.command import TableArgs
from transreward_baselines.benchmark.dara.rows import read_runs
from transreward_baselines.benchmark.dara.sets import Sets
from transreward_baselines.benchmark.dara.terms import claim
from transreward_baselines.benchmark.dara.work import estimate
from transreward_baselines.cli import group_of
from transreward_baselines.offline.args import OfflineArgs

Command = Callable[..., str]
SMALL = ("--cells", "Hopper-dara-mass/medium", "--algorithms", "awr", "--seeds", "0", "1", "--updates", "40")


def test_all_cells_are_trained_in_stacked_calls_and_told(script: Script, command: Command, tmp_path: Path) -> None:
    told = command(*SMALL, size=10_000)
    assert "10 runs, 10 of them to be done: 480 run-updates, 20 runs at a time at most." in told
    assert "5.0 ± 7.1" in told
    assert "1 of 1" in told
    rows = list(csv.DictReader((tmp_path / "table" / "results.csv").read_text().splitlines()))
    assert [(row["amount"], row["seed"], row["updates"]) for row in rows] == [
        (amount, seed, "80" if amount == "1T-from-10S" else "40")
        for amount in ("10T", "1T", "1T+10S", "1T+10S-dara", "1T-from-10S")
        for seed in ("0", "1")
    ]
    plain, before, after = script.calls
    sets = "transreward/Hopper/Hopper-dara-mass"
    tenth, source = f"{sets}/target-medium-1000-v0", f"{sets}/source-medium-10000-v0"
    assert plain.data[:3] == (f"{sets}/target-medium-10000-v0", tenth, f"{tenth}+{source}")
    assert plain.data[3].startswith(f"{tenth}+{sets}/source-medium-10000-dara-")
    assert "seed{seed}" in plain.data[3]
    assert (before.data, before.updates, before.start) == ((source,), 40, None)
    assert (after.data, after.updates, after.start) == ((tenth,), 40, before.out)
    assert plain.eval_every == 4
    assert "| medium | awr | 2 | 5.0 ± 7.1 |" in (tmp_path / "table" / "table.md").read_text()
    assert (tmp_path / "table" / "gains.png").stat().st_size > 1_000


def test_what_is_done_is_not_done_again_and_new_seeds_and_cells_are_added(script: Script, command: Command) -> None:
    command(*SMALL)
    script.calls.clear()
    assert "10 runs, 0 of them to be done: 0 run-updates" in command(*SMALL)
    assert not script.calls
    command("--cells", "Hopper-dara-mass/medium*", "--algorithms", "awr", "--seeds", "0", "2", "--updates", "40")
    trained = script.trained
    assert len(trained) == len(set(trained))
    assert {seed for _, data, seed in trained if "-medium-v0" in data and "expert" not in data} == {2}


def test_a_killed_command_loses_nothing_that_is_over(script: Script, command: Command) -> None:
    def interrupt(args: awr.Args) -> None:
        if len(script.calls) == 2:
            raise KeyboardInterrupt

    script.fail = interrupt
    command(*SMALL, code=130)
    assert [args.out.name for args in script.calls] == ["target", "source"]
    script.fail, script.calls = lambda args: None, []
    assert "10 runs, 2 of them to be done" in command(*SMALL)
    assert [args.out.name for args in script.calls] == ["source", "target"]


def test_a_cell_that_fails_loses_none_of_the_others(
    script: Script, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(self: Sets, amount: str, seeds: tuple[int, ...]) -> None:
        if self.cell.quality == "random" and amount == "1T+10S-dara":
            raise ValueError("no such policy")

    monkeypatch.setattr(Sets, "build", build)
    words = ("--cells", "Hopper-dara-mass/random", "Hopper-dara-mass/medium", *SMALL[2:])
    told = command(*words, code=2)
    assert "2 of 20 runs failed" in told
    failures = (tmp_path / "table" / "failures.txt").read_text()
    day = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, "
    for seed in (0, 1):
        told = f"awr, Hopper-dara-mass: random, 1T+10S-dara, seeds {seed}: Traceback"
        assert re.search(day + re.escape(told), failures, flags=re.MULTILINE)
    assert "ValueError: no such policy" in failures
    assert len(read_runs(tmp_path / "table")) == 18
    assert len(script.trained) == len(set(script.trained)) == 18 + 4
    monkeypatch.setattr(Sets, "build", lambda self, amount, seeds: None)
    command(*words)
    assert len(read_runs(tmp_path / "table")) == 20
    assert not (tmp_path / "table" / "failures.txt").exists()


def test_what_other_processes_say_of_failures_is_kept(
    script: Script, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(self: Sets, amount: str, seeds: tuple[int, ...]) -> None:
        if amount == "10T":
            with (tmp_path / "table" / "failures.txt").open("a") as file:
                file.write("another process: Traceback")
            raise ValueError("no such policy")

    monkeypatch.setattr(Sets, "build", build)
    command(*SMALL, code=2)
    told = (tmp_path / "table" / "failures.txt").read_text()
    assert "another process: Traceback" in told
    assert "ValueError: no such policy" in told


def test_one_run_that_fails_loses_no_other_seed(script: Script, command: Command, tmp_path: Path) -> None:
    def fail(args: awr.Args) -> None:
        if any(run.seed == 1 and run.data.endswith("/target-medium-v0") for run in args.runs):
            raise MemoryError("Give fewer seeds.")

    script.fail = fail
    words = ("--seeds", "0", "1", "2", "3", "4")
    assert "1 of 25 runs failed" in command(*SMALL[:4], *words, *SMALL[-2:], code=2)
    assert len(read_runs(tmp_path / "table")) == 24


def test_what_is_trained_outlives_a_full_disk(
    script: Script, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(args: awr.Args) -> None:
        checkpoint = args.out / "checkpoint-4"
        checkpoint.mkdir(parents=True, exist_ok=True)
        raise OSError(errno.ENOSPC, "No space left on device")

    script.fail = full
    words = ("--amounts", "10T", *SMALL)
    assert "2 of 2 runs failed" in command(*words, code=2)
    kept = list((tmp_path / "table" / "runs").glob("*/target/checkpoint-4"))
    assert len(kept) == 1
    told = (tmp_path / "table" / "failures.txt").read_text()
    assert f"No space left on device\nWhat it came to is kept in {kept[0].parents[1]}." in told

    def no_room(directory: Path, rows: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    script.fail = lambda args: None
    with monkeypatch.context() as patch:
        patch.setattr(work, "add_rows", no_room)
        command(*words, code=2)
    assert list((tmp_path / "table" / "runs").glob("*/target/checkpoint-4")) == kept
    command(*words)
    assert {args.out for args in script.calls} == {kept[0].parent}
    assert len(read_runs(tmp_path / "table")) == 2


def test_failures_are_told_before_a_command_is_killed(script: Script, command: Command, tmp_path: Path) -> None:
    tries: list[int] = []

    def fail_then_stop(args: awr.Args) -> None:
        tries.append(len(args.runs))
        if tries == [2, 1, 1]:
            raise KeyboardInterrupt
        raise ValueError("no such policy")

    script.fail = fail_then_stop
    command("--amounts", "10T", *SMALL, code=130)
    assert "no such policy" in (tmp_path / "table" / "failures.txt").read_text()


def test_folders_of_runs_that_are_over_go_if_they_are_not_to_be_kept(
    script: Script, command: Command, tmp_path: Path
) -> None:
    folders = {}
    for keep in (True, False):
        out = tmp_path / str(keep)
        command(*SMALL, *(() if keep else ("--no-keep-runs",)), out=out)
        assert len(read_runs(out)) == 10
        folders[keep] = len(list((out / "runs").glob("*/group.json")))
    assert folders == {True: 2, False: 0}


def test_a_directory_that_another_process_has_just_made_a_tables_is_no_strangers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    args, glob = TableArgs(table="dara"), Path.glob

    def late(self: Path, pattern: str) -> object:
        monkeypatch.setattr(Path, "glob", glob)
        claim(tmp_path, args)
        return glob(self, pattern)

    monkeypatch.setattr(Path, "glob", late)
    claim(tmp_path, args)
    assert (tmp_path / "table.json").exists()


def test_data_that_are_not_finite_lose_their_own_cells_alone(script: Script, command: Command) -> None:
    def damaged(args: awr.Args) -> None:
        if any("medium-expert" in data for data in args.data):
            raise ValueError("Data must be finite; `rewards` of target-medium-expert-v0 is nan at (3,).")

    script.fail = damaged
    words = ("--cells", "Hopper-dara-mass/medium", "Hopper-dara-mass/medium-expert", *SMALL[2:])
    assert "10 of 20 runs failed" in command(*words, code=2)
    assert {data.count("expert") for _, data, _ in script.trained} == {0}


def test_what_a_script_says_is_short_of_memory_is_tried_with_fewer_runs(script: Script, command: Command) -> None:
    def crowded(args: awr.Args) -> None:
        if len(args.data) > 1:
            raise MemoryError("Give fewer datasets to one command.")

    script.fail = crowded
    command(*SMALL)
    assert len(script.trained) == len(set(script.trained))


def test_other_terms_need_another_directory(script: Script, command: Command, tmp_path: Path) -> None:
    command(*SMALL)
    command(*SMALL, "--runs-at-once", "2")
    assert "(eta: 0.1 there, 0.2 asked for; hidden: 256 there, 8 asked for)" in command(
        *SMALL, eta=0.2, hidden=8, code=2
    )
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").touch()
    assert "A new table needs an empty directory" in command(*SMALL, out=tmp_path / "other", code=2)
    path = tmp_path / "table" / "table.json"
    told = json.loads(path.read_text())
    del told["terms"]["iql_rate"]
    path.write_text(json.dumps(told))
    assert "(iql_rate: None there, 'cosine' asked for)" in command(*SMALL, code=2)
    path.write_text(json.dumps({"format": 9, "terms": {}}))
    assert "is of format 9; this version reads 1" in command(*SMALL, code=2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cells": ("Hopper-mass-2.0",)}, "Unknown cell 'Hopper-mass-2.0'"),
        ({"cells": ("Hopper-dara-mass/expert",)}, "Unknown cell 'Hopper-dara-mass/expert'. Did you mean"),
        ({"cells": ()}, "`cells` must name one at least; got none"),
        ({"algorithms": ("td3bc",)}, "Unknown algorithm 'td3bc'. Did you mean 'td3_bc'"),
        ({"amounts": ("10S",)}, "Unknown amount '10S'"),
        ({"table": "d4rl"}, "Unknown table 'd4rl'"),
        ({"seeds": (-1,)}, "`seeds` must be an integer >= 0; got -1"),
        ({"updates": 0}, "`updates` must be an integer >= 1"),
        ({"size": 0}, "`size` must be an integer >= 1"),
        ({"size": 9_999}, "as long as an episode, 1000 steps; got 999, of `size` 9999. Give a `size` of 10000 or more"),
        ({"size": 999, "amounts": ("10T",)}, "got 999, of `size` 999. Give a `size` of 1000 or more"),
        ({"runs_at_once": 0}, "`runs_at_once` must be an integer >= 1"),
        ({"eta": -0.1}, "`eta` must be finite and >= 0"),
        ({"finetune_share": 0.0}, "`finetune_share` must be finite and > 0"),
        ({"device": "gpu"}, "Unknown device 'gpu'"),
    ],
)
def test_what_means_nothing_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TableArgs(**{"table": "dara", **changes})


def test_the_benchmark_of_pairs_is_another_command() -> None:
    words = {"table": ["benchmark", "--table=dara"], "pairs": ["benchmark", "--suite", "dara"]}
    found = {name: group_of(line)[1]["benchmark"].__name__ for name, line in words.items()}
    assert found == {"table": "make_table", "pairs": "benchmark"}


def test_the_whole_table_is_estimated() -> None:
    args = TableArgs(table="dara", cells=("*-mass",), updates=1_000, finetune_share=0.5, runs_at_once=7)
    runs = 4 * 4 * len(ALGORITHMS) * 5 * 5
    assert estimate(args, args.runs()) == (
        f"{runs:,} runs, {runs:,} of them to be done: {runs * 1_000 + runs // 5 * 500:,} run-updates, 7 runs at a time "
        "at most."
    )


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_algorithm_is_a_script(name: str) -> None:
    script = load_algorithm(name)
    assert issubclass(script.Args, OfflineArgs)
    assert callable(script.main)
