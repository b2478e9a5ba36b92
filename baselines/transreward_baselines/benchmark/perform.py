"""What a process does about one run."""

from __future__ import annotations

from filelock import FileLock, Timeout

from transreward_baselines.benchmark.agents import final_returns, read_curve, train
from transreward_baselines.benchmark.job import Job, Outcome
from transreward_baselines.needs import import_modules, tell_needs
from transreward_envs import register_pair


def perform(job: Job, wait: bool) -> bool:
    """Train a run and evaluate its last policy, unless that is done; return whether it is done now.

    Args:
        job: The run.
        wait: Wait where another process is at it; or else leave it undone.
    """
    import_modules(job.imports)
    register_pair(job.pair)
    job.directory.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(job.directory.with_suffix(".lock"), timeout=-1 if wait else 0):
            if not job.outcome.exists():
                train(job)
                tell_needs(job.directory, job.pair, job.imports)
                evaluate(job).write(job.outcome)
    except Timeout:
        return False
    return True


def evaluate(job: Job) -> Outcome:
    """Evaluate the last policy of a run that is trained."""
    returns = final_returns(job)
    target, source = returns["target"], returns.get("source")
    last = read_curve(job.directory, job.agent)[-1]
    return Outcome(
        pair=job.pair.name,
        agent=job.agent,
        method=job.contender.method,
        settings=job.contender.variant,
        seed=job.seed,
        step=last.step,
        source_steps=last.source_steps,
        target_steps=last.target_steps,
        target_return=float(target.mean()),
        target_std=float(target.std()),
        source_return=None if source is None else float(source.mean()),
        source_std=None if source is None else float(source.std()),
        episodes=job.terms.final_episodes,
        seconds=last.seconds,
    )
