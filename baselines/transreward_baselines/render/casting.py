"""Who acts in a film: a run's policy, one that ships, or a fixed sequence of actions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from transreward_baselines.checkpoint import load_policy as load_run
from transreward_baselines.lanes import sizes_of
from transreward_baselines.render.actions import sequence
from transreward_baselines.render.film import Actor, space_shapes
from transreward_envs import Pair, get_pair
from transreward_envs.pairs import ROLES, Role
from transreward_envs.pairs.domains import domain_name
from transreward_wrappers.policies import GaussianPolicy, for_sizes, load_policy, scale_actions
from transreward_wrappers.policies.shipped import policy_path

if TYPE_CHECKING:
    from transreward_baselines.render.program import RenderArgs

SEQUENCE = "a fixed sequence of actions"


def cast(args: RenderArgs) -> tuple[Pair, dict[Role, Actor], str]:
    """Return the pair, who acts in each domain, and that in words.

    Raises:
        ValueError: The policy cannot act in the pair, or there is none.
    """
    if args.run is not None:
        return _of_run(args.run, args)
    pair = get_pair(str(args.pair))
    if args.policy is not None:
        return _of_policy(args.policy, pair, args)
    return pair, {role: sequence(pair, role, seed=args.seed) for role in ROLES}, SEQUENCE


def _of_run(run: Path, args: RenderArgs) -> tuple[Pair, dict[Role, Actor], str]:
    config, policy = load_run(run)
    pair, trained = get_pair(args.pair or config.pair), get_pair(config.pair)
    if pair.robot != trained.robot or space_shapes(pair) != space_shapes(trained):
        raise ValueError(
            f"A policy acts with the robot and the observation that it was trained with; that of {run} was trained on "
            f"{trained.name}, and {pair.name} has others."
        )

    def act(observation: Any, time: float) -> Any:
        return policy(observation[None])[0]

    who = f"one policy, trained by {config.method}"
    if pair.source_robot is None:
        return pair, dict.fromkeys(ROLES, act), who
    actors: dict[Role, Actor] = {"source": sequence(pair, "source", seed=args.seed), "target": act}
    return pair, actors, f"{SEQUENCE} in the source, and {who}"


def _of_policy(policy: str, pair: Pair, args: RenderArgs) -> tuple[Pair, dict[Role, Actor], str]:
    """Return who acts where it is a file's policy, or the source's: in every domain whose robot it has."""
    if policy.endswith(".safetensors"):
        found, who = GaussianPolicy.load(Path(policy)), f"the policy {Path(policy).stem}"
    else:
        own = policy_path(domain_name(pair, "source"), policy).exists()
        robot = pair.robot_of("source").name
        found = load_policy(pair if own else robot, "source", policy)  # type: ignore[arg-type]  # it checks the level
        who = f"the source's {policy}" if own else f"the plain {robot}'s {policy}"
    fitting: tuple[Role, ...] = ROLES if pair.source_robot is None else ("source",)
    actors = {role: sequence(pair, role, seed=args.seed) for role in ROLES}
    actors |= {role: _actor(found, pair, role) for role in fitting}
    return pair, actors, who if fitting == ROLES else f"{who}, and {SEQUENCE} in the target"


def _actor(policy: GaussianPolicy, pair: Pair, role: Role) -> Actor:
    """Return a policy as it acts in one domain, by its mean actions."""
    with_positions = for_sizes(policy, pair, *sizes_of(pair.spec(role)))
    env = pair.make(role, disable_env_checker=True)
    space: Any = env.action_space
    env.close()
    return lambda observation, time: scale_actions(with_positions(observation[None]), space)[0]
