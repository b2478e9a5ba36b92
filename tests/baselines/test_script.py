"""Command lines of scripts: warnings in a line, and nobody else's after."""

import warnings
from dataclasses import dataclass

from transreward_baselines.script import run_script


@dataclass(frozen=True)
class Args:
    """What a script is told."""

    word: str = "falls"


def test_a_script_warns_without_its_place_in_the_code_and_leaves_the_rest_as_it_was() -> None:
    usual = warnings.formatwarning
    told: list[str] = []

    def main(args: Args) -> None:
        told.append(warnings.formatwarning(f"the sky {args.word}", UserWarning, __file__, 1))

    run_script(main, Args, [])
    assert told == ["UserWarning: the sky falls\n"]
    assert warnings.formatwarning is usual
