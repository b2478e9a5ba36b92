"""Training all runs of a benchmark, several at a time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from tqdm import tqdm

from transreward_baselines.benchmark.job import Job
from transreward_baselines.benchmark.perform import perform
from transreward_baselines.processes import Finished, run_jobs
from transreward_wrappers.storage import write_bytes


def train_all(
    jobs: Sequence[Job], *, workers: int, failures: Path, told: Collection[tuple[str, str, str, int]] = ()
) -> int:
    """Train all runs that are not done, those that another command is at last, and return how many failed.

    Args:
        jobs: The runs.
        workers: Runs at a time.
        failures: File to write why runs failed; it is deleted where none did.
        told: Keys of runs that a table has; they are done if their directories are gone. In one that is still there, an
            outcome that was deleted is made again.
    """

    def done(job: Job) -> bool:
        """Return whether a run is over, by its own directory or, where that is gone, by a table."""
        return job.outcome.exists() or (job.key in told and not job.directory.exists())

    left = {job.name: job for job in jobs if not done(job)}
    print(f"{len(jobs)} runs, {len(jobs) - len(left)} of them done; {workers} at a time.")
    busy: list[str] = []
    failed: list[Finished] = []
    with tqdm(total=len(jobs), initial=len(jobs) - len(left), unit="run", disable=None) as bar:

        def tell(finished: Finished) -> None:
            if finished.error is None and not finished.result:
                busy.append(finished.name)
                return
            if finished.error is not None:
                failed.append(finished)
                bar.write(f"{finished.name}: {finished.error}")
            bar.update()
            bar.set_postfix_str(finished.name)

        run_jobs(perform, {name: (job, False) for name, job in left.items()}, workers=workers, tell=tell)
        run_jobs(perform, {name: (left[name], True) for name in busy}, workers=workers, tell=tell)
    if failed:
        texts = [f"{finished.name}: {finished.error}\n{finished.traceback}" for finished in failed]
        write_bytes(failures, "\n".join(texts).encode())
    else:
        failures.unlink(missing_ok=True)
    return len(failed)
