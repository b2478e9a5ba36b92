"""A script in place of all algorithms, which trains nothing and keeps what it was told."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from transreward_baselines import awr
from transreward_baselines.benchmark.dara import train
from transreward_baselines.benchmark.dara.sets import Sets
from transreward_baselines.offline.evaluation import OfflineEvaluation


class Script:
    """Evaluates each run as ten times its seed, and three more where DARA relabelled its data."""

    Args = awr.Args

    def __init__(self) -> None:
        self.calls: list[awr.Args] = []
        self.fail: Callable[[awr.Args], None] = lambda args: None

    @property
    def trained(self) -> list[tuple[bool, str, int]]:
        """All runs: whether they went on from others, their data and their seed."""
        return [(args.start is not None, run.data, run.seed) for args in self.calls for run in args.runs]

    def main(self, args: awr.Args) -> list[OfflineEvaluation]:
        self.fail(args)
        self.calls.append(args)
        return [
            OfflineEvaluation(
                update=update,
                data=run.data,
                seed=run.seed,
                return_mean=1.0,
                return_std=0.0,
                episodes=args.eval_episodes,
                score=10.0 * run.seed + 3.0 * ("-dara-" in run.data.rpartition("/")[2]),
                seconds=2.0,
            )
            for update in (1, args.updates)
            for run in args.runs
        ]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    made = Script()
    monkeypatch.setattr(train, "load_algorithm", lambda name: made)
    monkeypatch.setattr(Sets, "build", lambda self, amount, seeds: None)
    return made


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Return a function that runs the command, and returns what it printed or, with a code, complained of."""
    from transreward_baselines.cli import main

    def run(*words: str, code: int = 0, out: Path = tmp_path / "table", **settings: Any) -> str:
        more = [word for name, value in settings.items() for word in (f"--{name.replace('_', '-')}", str(value))]
        line = ["benchmark", "--table", "dara", "--out", str(out), "--quiet", *words, *more]
        if not code:
            main(line)
            return capsys.readouterr().out
        with pytest.raises(SystemExit) as stop:
            main(line)
        assert stop.value.code == code
        return capsys.readouterr().err

    return run
