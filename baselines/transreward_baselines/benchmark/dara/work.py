"""Trains all runs of a table, group by group: a cell that cannot be trained loses none of the others."""

from __future__ import annotations

import traceback

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

    A group that fails is divided until the cell that is to blame stands alone.
    """
    wanted = args.runs()
    queue = Queue(args.out, wanted, args.abreast)
    done = read_runs(args.out)
    print(estimate(args, [run for run in wanted if run not in done]))
    failures: list[str] = []
    initial = sum(run in done for run in wanted)
    with tqdm(total=len(wanted), initial=initial, unit="run", disable=args.quiet or None) as bar:
        while True:
            with queue.next() as group:
                if group is None:
                    break
                bar.set_postfix_str(str(group))
                try:
                    add_rows(args.out, train(group, args, queue.folder(group)))
                except Exception as error:
                    bar.write(f"{group}: {type(error).__name__}: {error}")
                    if not _divided(queue, group, error):
                        failures.append(f"{group}: {traceback.format_exc()}")
            bar.n = sum(map(read_runs(args.out).__contains__, wanted))
            bar.refresh()
    if failures:
        with (args.out / FAILURES).open("a") as file:  # other processes may fill the same directory
            file.write("\n".join([*failures, ""]))
    elif read_runs(args.out).keys() >= set(wanted):
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


def _divided(queue: Queue, group: Group, error: Exception) -> bool:
    """Put halves in place of a group that failed, or give it up if it has none; return whether it has."""
    if queue.divide(group):
        return True
    queue.failed.update(group.runs)
    if isinstance(error, RunDirectoryError) or not queue.has_checkpoint(group):
        queue.forget(group)  # there is nothing to go on from for the next command, or nothing that can be read
    return False
