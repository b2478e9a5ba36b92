"""Training: an unmodified agent on one id, with evaluations, checkpoints and logs."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import configure
from tqdm import tqdm

from transreward_baselines.checkpoint import load_checkpoint, save_checkpoint
from transreward_baselines.config import RunConfig
from transreward_baselines.evaluation import evaluate_id
from transreward_baselines.results import Result, read_results, write_results
from transreward_baselines.run_directory import held
from transreward_baselines.sb3.agents import (
    budget_is_spent,
    make_agent,
    make_training_env,
    places_of,
    policy_of,
    steps_spent,
)
from transreward_baselines.training_ids import require_same_observations
from transreward_envs.errors import BudgetSpentError

Report = Callable[[int], None]


def train(config: RunConfig, directory: Path, *, report: Report | None = None) -> list[Result]:
    """Train to the end, from the newest checkpoint if there is one, and return all evaluations.

    The directory then holds ``config.json``, ``results.csv``, a checkpoint, and logs for TensorBoard.

    Args:
        config: The run.
        directory: Its directory, made if it is missing.
        report: Called with the number of steps taken, often; a progress bar is shown when left out.

    Raises:
        RunDirectoryError: The directory belongs to another run, or its checkpoint cannot be read.
    """
    config.check(directory)
    with ExitStack() as stack:
        env = stack.enter_context(closing(make_training_env(config)))
        require_same_observations(env.observation_space, "", places_of(config).values())
        agent = make_agent(config, env)
        stack.enter_context(held(directory))
        config.claim(directory)
        load_checkpoint(agent, config, directory)
        agent.set_random_seed(config.seed + agent.num_timesteps)
        logger = configure(str(directory / "logs" / f"from-{agent.num_timesteps}"), ["csv", "tensorboard"])
        agent.set_logger(logger)
        results = [result for result in read_results(directory) if result.step <= agent.num_timesteps]
        with (
            closing(logger),
            tqdm(
                total=config.steps,
                initial=agent.num_timesteps,
                desc=f"{config.method} seed {config.seed}",
                unit="step",
                disable=True if report else None,
            ) as bar,
        ):
            _train(agent, config, directory, results, _Progress(config, bar, report))
            if not results:  # the run was done, but its results were lost
                results.append(_evaluation(agent, config, 0.0))
                write_results(directory, results)
    return results


def _train(
    agent: BaseAlgorithm, config: RunConfig, directory: Path, results: list[Result], progress: _Progress
) -> None:
    """Learn, evaluate and keep, by turns, until the steps are taken or no target step may be."""
    spent_before = results[-1].seconds if results else 0.0
    start = time.perf_counter()
    while agent.num_timesteps < config.steps and not budget_is_spent(agent, config):
        steps = min(config.eval_every, config.steps - agent.num_timesteps)
        with suppress(BudgetSpentError):  # a method that acts in the target alone ends where its budget does
            agent.learn(steps, reset_num_timesteps=False, callback=progress)
        results.append(_evaluation(agent, config, spent_before + time.perf_counter() - start))
        progress.tell(results[-1])
        write_results(directory, results)  # first: rows beyond the checkpoint are dropped when a run resumes
        save_checkpoint(agent, config, directory)


def _evaluation(agent: BaseAlgorithm, config: RunConfig, seconds: float) -> Result:
    """Evaluate the policy of an agent on the plain domains that it can act in."""
    policy, spent = policy_of(agent), steps_spent(agent, config)
    returns = {
        role: evaluate_id(policy, env_id, episodes=config.eval_episodes, settings=keywords)
        for role, (env_id, keywords) in places_of(config).items()
    }
    target, source = returns["target"], returns.get("source", np.array([np.nan]))
    return Result(
        step=agent.num_timesteps,
        source_steps=spent["source"],
        target_steps=spent["target"],
        target_return=float(target.mean()),
        target_spread=float(target.std()),
        source_return=float(source.mean()),
        source_spread=float(source.std()),
        seconds=seconds,
    )


class _Progress(BaseCallback):
    """Shows progress, and logs what the compensation reports."""

    def __init__(self, config: RunConfig, bar: tqdm, report: Report | None) -> None:
        super().__init__()
        self._bar, self._report = bar, report
        self._compensated = config.compensated

    def tell(self, result: Result) -> None:
        """Show an evaluation, in a log file too."""
        if self._report is None:
            self._bar.write(f"step {result.step}: {result}")

    def _on_step(self) -> bool:
        self._bar.update(self.num_timesteps - self._bar.n)
        if self._report is not None and self.n_calls % 100 == 0:
            self._report(self.num_timesteps)
        return True

    def _on_rollout_end(self) -> None:
        if self._compensated:
            for name, value in self.training_env.get_attr("diagnostics", indices=[0])[0].items():
                self.logger.record(f"compensation/{name}", value)
