"""The terms on which contenders meet: what is equal for all of them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from transreward_envs.errors import require_count


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """Steps and evaluations of a run, the same for every contender.

    Raises:
        TypeError: A number is no integer.
        ValueError: A number is not above zero.
    """

    source_steps: int = 1_000_000
    """Steps that may be taken in the source, those of fitting a compensation included."""

    target_steps: int = 100_000
    """Steps that may be taken in the target, those of fitting a compensation included."""

    evaluations: int = 20
    """Evaluations on the way, evenly spread over the steps."""

    eval_episodes: int = 10
    """Episodes of an evaluation on the way, in each domain."""

    final_episodes: int = 30
    """Episodes of the evaluation of the last policy, which is the one that counts, in each domain."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            require_count(field.name, getattr(self, field.name), at_least=1)
