"""Several processes fill one directory: every run once, in stacked calls, whoever is killed."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from filelock import FileLock, Timeout
from hypothesis import given, settings
from hypothesis import strategies as st

from transreward_baselines.benchmark.dara import queue as queues
from transreward_baselines.benchmark.dara.cells import AMOUNTS, FINE_TUNED, Run, find_cells, runs_of
from transreward_baselines.benchmark.dara.groups import Group, first_group, read_group
from transreward_baselines.benchmark.dara.queue import Queue
from transreward_baselines.benchmark.dara.rows import Row, add_rows, read_runs
from transreward_baselines.run_directory import RunDirectoryError

CELLS = find_cells(["Hopper-dara-mass/medium*", "Ant-dara-mass/random"])
RUNS = tuple(runs_of(CELLS, ["awr", "iql"], AMOUNTS, [0, 1, 2]))


def finish(directory: Path, runs: Sequence[Run]) -> None:
    rows = [
        Row(
            pair=run.cell.pair,
            quality=run.cell.quality,
            algorithm=run.algorithm,
            amount=run.amount,
            seed=run.seed,
            updates=1,
            score=0.0,
            return_mean=0.0,
            return_std=0.0,
            episodes=1,
            seconds=0.0,
            runs=1,
        )
        for run in runs
    ]
    add_rows(directory, rows)


@given(left=st.lists(st.sampled_from(RUNS), min_size=1, unique=True), most=st.integers(1, 40))
def test_groups_have_each_run_once_and_what_trains_together_in_common(left: list[Run], most: int) -> None:
    left.sort(key=RUNS.index)
    seen: list[Run] = []
    while left:
        group = first_group(left, most)
        assert left[0] in group.runs
        assert len(group.runs) <= most
        assert {run.amount == FINE_TUNED for run in group.runs} == {group.fine_tuned}
        assert {(run.cell.pair, run.algorithm) for run in group.runs} == {(group.pair, group.algorithm)}
        seen += group.runs
        left = [run for run in left if run not in group.runs]
    assert len(seen) == len(set(seen))


def test_cells_of_a_pair_are_stacked() -> None:
    assert len(first_group(RUNS, 100).runs) == 3 * 4 * 3
    assert len(first_group(RUNS, 20).runs) == 18
    assert first_group(RUNS, 2).seeds == (0, 1)


def test_a_group_is_written_and_read(tmp_path: Path) -> None:
    group = first_group(RUNS, 20)
    group.write(tmp_path)
    path = tmp_path / group.folder / "group.json"
    assert read_group(path) == group
    path.write_text("{}")
    with pytest.raises(RunDirectoryError, match="does not say which runs .* Delete the folder"):
        read_group(path)


@settings(max_examples=5, deadline=None)
@given(most=st.integers(1, 30), done=st.sets(st.sampled_from(RUNS)))
def test_a_process_does_all_that_is_left_and_nothing_twice(
    tmp_path_factory: pytest.TempPathFactory, most: int, done: set[Run]
) -> None:
    directory = tmp_path_factory.mktemp("table")
    finish(directory, list(done))
    queue, trained = Queue(directory, RUNS, most), list[Run]()
    while True:
        with queue.next() as group:
            if group is None:
                break
            trained += group.runs
            finish(directory, group.runs)
    assert sorted(trained, key=RUNS.index) == [run for run in RUNS if run not in done]


def test_what_a_process_is_at_is_left_to_it_and_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = (Queue(tmp_path, RUNS[:18], 9) for _ in range(2))
    with theirs.next() as first:
        done = {*first.runs}
        while done != {*RUNS[:18]}:
            with ours.next() as group:
                assert done.isdisjoint(group.runs)
                done |= {*group.runs}
                finish(tmp_path, group.runs)
        monkeypatch.setattr(queues.time, "sleep", lambda _: finish(tmp_path, first.runs))
        with ours.next() as last:
            assert last is None
    assert read_runs(tmp_path).keys() == {*RUNS[:18]}


def test_what_a_killed_process_left_is_taken_up_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Queue(tmp_path, RUNS, 9).next() as begun:
        pass  # its lock is free, and nothing is done
    more = Queue(tmp_path, RUNS, 40)
    with more.next() as group:
        assert group == begun
    fewer = Queue(tmp_path, begun.runs[:2], 40)
    with fewer.next() as group:
        assert group.runs == begun.runs[:2], "what is not asked for is not trained"


@pytest.mark.parametrize("share", [1, 2, 3])
def test_what_was_begun_is_not_taken_up_while_another_process_is_at_a_part_of_it(tmp_path: Path, share: int) -> None:
    with Queue(tmp_path, RUNS, 12).next() as begun:
        pass
    part = begun.runs[:: len(begun.runs) // share]
    with Queue(tmp_path, part, 12).next() as theirs, Queue(tmp_path, begun.runs, 12).next() as ours:
        assert {*theirs.runs}.issubset(part)
        assert {*theirs.runs}.isdisjoint(ours.runs)


def test_a_group_that_cannot_be_trained_is_divided_down_to_the_run(tmp_path: Path) -> None:
    queue = Queue(tmp_path, RUNS, 18)
    with queue.next() as whole:
        (queue.folder(whole) / "target").mkdir()
        assert queue.divide(whole)
        assert not queue.folder(whole).exists()
    tried: list[Group] = []
    while True:
        with queue.next() as group:
            if not {*group.runs} & {*whole.runs}:
                break
            tried.append(group)
            if not queue.divide(group):
                queue.failed.update(group.runs)
    alone = [group.runs[0] for group in tried if len(group.runs) == 1]
    assert sorted(alone, key=RUNS.index) == sorted(whole.runs, key=RUNS.index)
    assert all(group.seeds == whole.seeds for group in tried if len(group.entries) > 1)


@pytest.mark.parametrize("checkpoint", [False, True])
def test_a_killed_group_is_formed_anew_by_who_wants_fewer_at_once_unless_it_has_a_checkpoint(
    checkpoint: bool, tmp_path: Path
) -> None:
    first = Queue(tmp_path, RUNS, 20)
    with first.next() as group:
        assert len(group.runs) == 18
    if checkpoint:
        (first.folder(group) / "run" / "checkpoint-10").mkdir(parents=True)
    second = Queue(tmp_path, RUNS, 2)
    with second.next() as again:
        assert again == group if checkpoint else len(again.runs) == 2
    assert first.folder(group).exists() == checkpoint


def test_a_group_is_given_up_while_no_other_process_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    queue, locked = Queue(tmp_path, RUNS, 20), list[bool]()

    def delete(*_: object, **__: object) -> None:
        with pytest.raises(Timeout):
            FileLock(tmp_path / ".groups.lock").acquire(timeout=0)
        locked.append(True)

    with queue.next() as group:
        monkeypatch.setattr(queues.shutil, "rmtree", delete)
        queue.forget(group)
        queue.divide(group)
    assert locked == [True, True]
