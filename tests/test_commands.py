"""The commands that README and docs show are such as the command line takes."""

import functools
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import tyro

from transreward_baselines import awr, bcq, bear, brac_p, cql, iql, mabe, mopo, td3_bc
from transreward_baselines.cli import data, group_of, main, policies
from transreward_baselines.drat import Args as DratArgs
from transreward_baselines.dreamer import Args as DreamerArgs
from transreward_baselines.ppo import Args as PpoArgs
from transreward_baselines.sac import Args as SacArgs
from transreward_envs import METHODS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINES = [
    (page.name, line.strip())
    for page in PAGES
    for block in re.findall(r"```(?:sh|bash)\n(.*?)```", page.read_text(), flags=re.DOTALL)
    for line in re.sub(r"\\\n\s*", " ", block).splitlines()
]
COMMANDS = [(name, line) for name, line in LINES if line.startswith("transreward ")]
OFFLINE = (awr, bcq, bear, brac_p, cql, iql, mabe, mopo, td3_bc)
ARGS = {"ppo": PpoArgs, "sac": SacArgs, "dreamer": DreamerArgs, "drat": DratArgs}
ARGS |= {script.__name__.rpartition(".")[2]: script.Args for script in OFFLINE}
SCRIPT = re.compile(rf"python -m transreward_baselines\.({'|'.join(ARGS)}) ")
SCRIPTS = [(name, line) for name, line in LINES if SCRIPT.match(line)]


@pytest.mark.parametrize(("page", "line"), COMMANDS, ids=[f"{name}: {line}" for name, line in COMMANDS])
def test_a_command_is_understood(page: str, line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    prog, commands = group_of(words)
    called: list[str] = []
    recorded = {name: _record(function, called) for name, function in commands.items()}
    tyro.extras.subcommand_cli_from_dict(
        recorded, prog=prog, args=words if prog == "transreward" else words[1:], config=(tyro.conf.OmitArgPrefixes,)
    )
    assert called


@pytest.mark.parametrize(("page", "line"), SCRIPTS, ids=[f"{name}: {line}" for name, line in SCRIPTS])
def test_a_script_is_understood(page: str, line: str) -> None:
    _, _, module, *words = shlex.split(line, comments=True)
    if "--help" not in words:
        tyro.cli(ARGS[module.rpartition(".")[2]], args=words)


def _record(function: Any, called: list[str]) -> Any:
    """Return a function of the same parameters that only tells that it was called."""

    @functools.wraps(function)
    def recorded(*_: Any, **__: Any) -> None:
        called.append(function.__name__)

    return recorded


@pytest.mark.parametrize("group", [policies, data], ids=["policies", "data"])
def test_the_help_of_a_group_names_its_commands(group: Any) -> None:
    _, commands = group_of([group.__name__])
    assert [name for name in commands if f"`{name}`" not in group.__doc__] == []


def test_the_help_of_train_names_every_method(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    shown = capsys.readouterr().out
    assert [name for name in ("source", "target", *METHODS) if f"`{name}`" not in shown] == []


def test_positional_words_are_called_what_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["data", "relabel", "--help"])
    assert "SOURCE TARGET" in capsys.readouterr().out


def test_there_are_commands_to_try() -> None:
    assert len(COMMANDS) > 10
    assert SCRIPTS
