"""From what a command names to a plan."""

from __future__ import annotations

from collections.abc import Sequence

from transreward_baselines.benchmark.agents import AGENTS
from transreward_baselines.benchmark.command import BenchmarkArgs
from transreward_baselines.benchmark.contenders import Contender
from transreward_baselines.benchmark.plan import Plan
from transreward_baselines.benchmark.sweep import Sweep
from transreward_baselines.benchmark.terms import Terms
from transreward_baselines.needs import import_modules
from transreward_envs import Pair, get_pair, get_suite
from transreward_envs.errors import unknown


def make_plan(args: BenchmarkArgs) -> Plan:
    """Return the plan that a command means, and say what it leaves out.

    Raises:
        TypeError: A setting of a method is not of its kind.
        ValueError: A name is unknown, a setting breaks its rule, or a contender cannot train in a pair.
    """
    import_modules(args.imports)
    for agent in args.agents:
        if agent not in AGENTS:
            raise ValueError(unknown("agent", agent, AGENTS))
    terms = Terms(
        source_steps=args.source_steps,
        target_steps=args.target_steps,
        evaluations=args.evaluations,
        eval_episodes=args.eval_episodes,
        final_episodes=args.final_episodes,
    )
    contenders = {contender.name: contender for contender in map(Contender.parse, args.methods)}
    swept = _swept(args)
    of_suites = _of_suites(args, list(contenders.values()))
    pairs = {pair.name: pair for pair in (*of_suites, *map(get_pair, args.pairs), *swept.values())}
    return Plan(
        terms=terms,
        pairs=tuple(pairs.values()),
        contenders=tuple(contenders.values()),
        agents=tuple(dict.fromkeys(args.agents)),
        seeds=tuple(dict.fromkeys(args.seeds)),
        sweeps={args.sweep[0]: {swept[key].name: key[1] for key in swept}} if args.sweep else {},
        imports=args.imports,
    )


def _of_suites(args: BenchmarkArgs, contenders: Sequence[Contender]) -> list[Pair]:
    """Return the pairs of the suites in which all contenders can train."""
    pairs = [pair for suite in args.suite for pair in get_suite(suite)]
    kept = [pair for pair in pairs if all(contender.serves(pair) for contender in contenders)]
    if left_out := [pair.name for pair in pairs if pair not in kept]:
        print(f"Left out, because a contender would act with the source's other robot: {', '.join(left_out)}.")
    return kept


def _swept(args: BenchmarkArgs) -> dict[tuple[str, float], Pair]:
    """Return the pairs of the sweep, by robot and value."""
    if args.sweep is None:
        return {}
    sweep = Sweep(shift=args.sweep[0], values=args.sweep[1])
    pairs = {(robot, value): pair for robot in args.robots for value, pair in sweep.pairs(robot).items()}
    values = {value for _, value in pairs}
    if neutral := [value for value in sweep.numbers() if value not in values]:
        print(f"Left out, because the shift changes nothing there: {sweep.shift} {', '.join(map(str, neutral))}.")
    return pairs
