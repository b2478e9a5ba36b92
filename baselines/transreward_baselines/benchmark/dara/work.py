"""Trains all runs of a table, group by group: a cell that cannot be trained loses none of the others."""

from __future__ import annotations

import traceback
from datetime import UTC, datetime

from tqdm import tqdm

from transreward_baselines.benchmark.dara.cells import FINE_TUNED, Run
from transreward_baselines.benchmark.dara.command import FAILURES, TableArgs
from transreward_baselines.benchmark.dara.groups import Group
from transreward_baselines.benchmark.dara.queue import Queue
from transreward_baselines.benchmark.dara.rows import add_rows, read_runs
from transreward_baselines.benchmark.dara.train import train
from transreward_baselines.run_directory import RunDirectoryError


def train_all(args: TableArgs) -> int:
    """Train all runs that are not done, and return how many failed.

    A group that fails before its first checkpoint is divided until the run that is to blame stands alone; one that has
    a checkpoint is kept for the next command.
    """
    wanted = args.runs()
    queue = Queue(args.out, wanted, args.abreast)
    done = read_runs(args.out)
    print(estimate(args, [run for run in wanted if run not in done]))
    initial = sum(run in done for run in wanted)
    with tqdm(total=len(wanted), initial=initial, unit="run", disable=args.quiet or None) as bar:
        while True:
            with queue.next() as group:
                if group is None:
                    break
                bar.set_postfix_str(str(group))
                try:
                    rows = train(group, args, queue.folder(group))
                except Exception as error:
                    bar.write(f"{group}: {type(error).__name__}: {error}")
                    if not _divided(queue, group, error):
                        kept = (
                            f"What it came to is kept in {queue.folder(group)}.\n"
                            if queue.has_checkpoint(group)
                            else ""
                        )
                        _tell(args, f"{group}: {traceback.format_exc()}{kept}")
                else:
                    add_rows(args.out, rows)
                    if not args.keep_runs:
                        queue.forget(group)
            bar.n = sum(map(read_runs(args.out).__contains__, wanted))
            bar.refresh()
    if read_runs(args.out).keys() >= set(wanted):
        (args.out / FAILURES).unlink(missing_ok=True)
    return len(queue.failed)


def estimate(args: TableArgs, left: list[Run]) -> str:
    """Return in words how much there is to do."""
    tuned = sum(run.amount == FINE_TUNED for run in left)
    updates = len(left) * args.updates + tuned * args.finetune_updates
    return (
        f"{len(args.runs()):,} runs, {len(left):,} of them to be done: {updates:,} run-updates, {args.abreast} runs at "
        "a time at most."
    )


def _tell(args: TableArgs, failure: str) -> None:
    """Say at once in the directory why a group failed: the command may be killed, and other processes write there."""
    with (args.out / FAILURES).open("a") as file:
        file.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC, {failure}\n")


def _divided(queue: Queue, group: Group, error: Exception) -> bool:
    """Put halves in place of a group that failed, or give it up for this command; return whether it has halves."""
    unread = isinstance(error, RunDirectoryError)
    if queue.has_checkpoint(group) and not unread:  # a full disk, say: what is trained is not to be trained again
        queue.failed.update(group.runs)
        return False
    if queue.divide(group):
        return True
    queue.failed.update(group.runs)
    queue.forget(group)  # there is nothing to go on from for the next command, or nothing that can be read
    return False
