"""The command line: ``transreward list``, ``show``, ``train``, ``refine``, ``benchmark``, ``policies`` and more."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

try:
    import tyro
    from rich.table import Table

    from transreward_baselines.align.command import align
    from transreward_baselines.benchmark.command import benchmark
    from transreward_baselines.console import console
    from transreward_baselines.pairs_command import find_pair, list_pairs, show
    from transreward_baselines.refine.args import RefineArgs
    from transreward_baselines.script import TOLD, checked_later, warnings_told
    from transreward_baselines.settings import parse_settings
    from transreward_baselines.verify import verify
except ModuleNotFoundError as error:
    sys.exit(f"transreward: needs {error.name}, which is not installed: pip install 'transreward-envs[baselines]'.")


import transreward_envs
from transreward_envs import METHODS
from transreward_envs.pairs import ROLES

METHOD_HELP = f"{', '.join(f'`{name}`' for name in (*ROLES, *METHODS))}, or a registered one."
"""What may be trained by: one domain alone, or a method."""


def train(
    pair: str,
    out: Path,
    method: Annotated[str, tyro.conf.arg(help=METHOD_HELP)] = "mixture",
    agent: str = "sb3-ppo",
    steps: int = 100_000,
    seed: int = 0,
    n_envs: int | None = None,
    target_budget: int | None = None,
    relabel: bool = True,
    learn_from: Literal["both", "source"] = "both",
    whole_episodes: bool = False,
    eval_every: int = 10_000,
    eval_episodes: int = 5,
    set: tuple[str, ...] = (),
    imports: tuple[str, ...] = (),
) -> None:
    """Train an unmodified agent; run the same command again to resume, or with more steps to go on.

    Args:
        pair: Name of the pair.
        out: Directory of the run.
        method: A domain to train in alone, or a method.
        agent: `sb3-ppo` or `sb3-sac`.
        steps: Environment steps, of both domains together; the run ends with the rollout that reaches them.
        seed: Of everything random.
        n_envs: Lanes that step together; 8 for PPO and 1 for SAC when left out.
        target_budget: Target steps in all.
        relabel: Compensate SAC's rewards when they are drawn from its replay buffer, not once for all when paid.
        learn_from: Transitions that SAC then learns from: those of `both` domains, or of the `source` alone.
        whole_episodes: Have DRaE pay SAC's episodes by all of each, once it is over, not step by step.
        eval_every: Steps between two evaluations, each followed by a checkpoint.
        eval_episodes: Episodes of an evaluation, in each domain.
        set: Further keywords of the training id, such as `eta=0.1`; `transreward settings darc` lists them.
        imports: Modules, found from here, that register pairs or compensations of your own.
    """
    from transreward_baselines.config import LANES, RunConfig
    from transreward_baselines.train import train as train_run

    config = RunConfig(
        pair=pair,
        method=method,
        agent=agent,
        steps=steps,
        seed=seed,
        n_envs=LANES.get(agent, 1) if n_envs is None else n_envs,
        target_budget=target_budget,
        relabel=relabel,
        learn_from=learn_from,
        whole_episodes=whole_episodes,
        eval_every=eval_every,
        eval_episodes=eval_episodes,
        settings=parse_settings(set),
        imports=imports,
    )
    last = train_run(config, out)[-1]
    print(f"{pair}, {method}: {last}. Everything is in {out}.")


def refine(args: RefineArgs) -> None:
    """Refine reward transfer round by round; run the same command again to resume, or with more rounds to go on.

    Args:
        args: What to refine, and when to stop.
    """
    from transreward_baselines.refine.loop import refine as refine_rounds

    rounds, reason = refine_rounds(args)
    last = f", gap {rounds[-1].gap:.4g}, return {rounds[-1].return_mean:.0f} in the target" if rounds else ""
    print(f"{args.pair}, rounds: {len(rounds)}{last}; stopped because {reason}. Everything is in {args.out}.")


def evaluate(run: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="RUN")]], episodes: int = 20) -> None:
    """Evaluate a run's newest policy on the plain domains: both, or the target where the source has another robot.

    Args:
        run: Directory of the run.
        episodes: Episodes in each domain.
    """
    from transreward_baselines.checkpoint import load_policy
    from transreward_baselines.evaluation import evaluate_id
    from transreward_baselines.sb3.agents import places_of

    config, policy = load_policy(run)
    pair = transreward_envs.get_pair(config.pair)
    table = Table(title=f"{pair.name}, {config.method}, seed {config.seed}: {episodes} episodes", box=None)
    for column in ("domain", "mean return", "standard deviation", "lowest", "highest"):
        table.add_column(column, justify="left" if column == "domain" else "right")
    for role, (env_id, keywords) in reversed(places_of(config).items()):
        returns = evaluate_id(policy, env_id, episodes=episodes, settings=keywords)
        figures = (returns.mean(), returns.std(), returns.min(), returns.max())
        table.add_row(role, *(f"{figure:.1f}" for figure in figures))
    console().print(table)


def plot(
    runs: tyro.conf.Positional[Annotated[tuple[Path, ...], tyro.conf.arg(metavar="RUN [RUN ...]")]],
    out: Path = Path("learning-curves.png"),
) -> None:
    """Plot the learning curves of runs of one pair, one line a method.

    Args:
        runs: Directories of runs.
        out: The figure.
    """
    from transreward_baselines.config import read_config
    from transreward_baselines.plot import plot_learning_curves, runs_by_method

    if not runs:
        raise ValueError("`plot` needs the directory of at least one run.")
    by_method = runs_by_method(runs)
    plot_learning_curves(by_method, out, title=read_config(runs[0]).pair)
    print(f"The figure is {out}.")


def render(
    pair: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="PAIR")]],
    out: str = "./",
    run: Path | None = None,
    policy: str | None = None,
    steps: int | None = None,
    seed: int = 0,
    width: int = 320,
    height: int = 240,
    fps: int = 25,
) -> None:
    """Film source and target side by side: an MP4, a GIF, and a film strip as PNG.

    Args:
        pair: A pair, or any id of it.
        out: Directory, or file name without an extension; the directory's files are named after the pair.
        run: Directory of a run whose policy acts; without it and `policy`, a fixed sequence of actions.
        policy: `expert` or `medium`, the source's policy that ships, or a policy's file.
        steps: Length in control steps, of the longer ones; 6 s, or the time limit, when left out.
        seed: Of both domains and of the sequence of actions.
        width: Of each domain's frames [pixels].
        height: Of each domain's frames [pixels].
        fps: Frames per second of the MP4, which runs in simulated time.
    """
    from transreward_baselines.render import RenderArgs, import_pairs, picture_stem, render_in_subprocess

    if run is not None:
        import_pairs(run)
    name = find_pair(pair).name
    stem = picture_stem(out, name)
    size = {"width": width, "height": height, "fps": fps}
    args = RenderArgs(pair=name, out=stem, run=run, policy=policy, steps=steps, seed=seed, **size)
    for path in render_in_subprocess(args):
        print(path)


def settings(
    method: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="METHOD")]], imports: tuple[str, ...] = ()
) -> None:
    """List what a method can be told: keywords of `gym.make`, of its class, and of `--set`, under one name.

    Args:
        method: Such as `reward-transfer` or `darc`.
        imports: Modules, found from here, that register compensations of your own.
    """
    from transreward_baselines.settings_command import show_settings

    show_settings(method, imports)


def policies() -> None:
    """Policies of domains: `train` them again, `list` what they return."""


def data() -> None:
    """Offline datasets: `build` one, a `recipe` of several, `relabel` rewards, `list` or `export` them."""


TOP: dict[str, Any] = {
    "list": list_pairs,
    "show": show,
    "settings": settings,
    "verify": verify,
    "train": train,
    "refine": refine,
    "evaluate": evaluate,
    "plot": plot,
    "render": render,
    "align": align,
    "benchmark": benchmark,
    "policies": policies,
    "data": data,
}
"""The commands; `policies` and `data` are groups, and stand here for the help text alone."""


def group_of(words: list[str]) -> tuple[str, dict[str, Any]]:
    """Return the group of commands that words are of, and the commands."""
    if words[:1] == ["policies"]:
        from transreward_baselines.policies import command as policy_commands

        return "transreward policies", policy_commands.COMMANDS
    if words[:1] == ["data"]:
        from transreward_baselines.data import command as data_commands

        return "transreward data", data_commands.COMMANDS
    if words[:1] == ["benchmark"] and any(word.partition("=")[0] == "--table" for word in words):
        from transreward_baselines.benchmark.dara.command import make_table

        return "transreward", {**TOP, "benchmark": make_table}
    return "transreward", TOP


def main(args: list[str] | None = None) -> None:
    """Run the command line."""
    words = sys.argv[1:] if args is None else args
    prog, commands = group_of(words)
    sys.path.insert(0, "")  # modules of one's own are found where the command is typed
    try:
        with warnings_told():
            tyro.extras.subcommand_cli_from_dict(
                {name: checked_later(command) for name, command in commands.items()},
                prog=prog,
                description="Source and target domains for off-dynamics RL.",
                args=words if prog == "transreward" else words[1:],
                config=(tyro.conf.OmitArgPrefixes,),
            )
    except BrokenPipeError:  # whoever read has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except TOLD as error:
        print(f"transreward: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("transreward: stopped; run the same command again to go on.", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
