"""What measurements ran on: they are compared on one machine alone."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import date
from importlib.metadata import version
from pathlib import Path

from transreward_wrappers.storage import write_json

PACKAGES = ("mujoco", "gymnasium", "stable-baselines3", "numpy")


def note(folder: Path, *, envpool: str | None = None) -> None:
    """Keep what a measurement that begins now runs on.

    Raises:
        ValueError: What is in the folder was measured on another machine, or with other versions.
    """
    folder.mkdir(parents=True, exist_ok=True)
    info = {
        "date": date.today().isoformat(),
        "cpu": processor(),
        "cpus": os.cpu_count(),
        "Python": platform.python_version(),
    }
    info |= {package: version(package) for package in PACKAGES}
    if envpool:
        asked = [envpool, "-c", "from importlib.metadata import version; print(version('envpool'))"]
        info["envpool"] = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    path = folder / "machine.json"
    before = json.loads(path.read_text()) if path.exists() else {}
    shared = info.keys() & before.keys() - {"date"}
    differs = {name: (before[name], info[name]) for name in sorted(shared) if before[name] != info[name]}
    if differs:
        listing = "; ".join(f"{name}: {old!r} there, {new!r} here" for name, (old, new) in differs.items())
        raise ValueError(
            f"What is compared is measured on one machine; {folder} was on another ({listing}). Measure into another "
            "folder by `--out`, or delete it."
        )
    write_json(path, {**before, **info})


def processor() -> str:
    """Return the name of the CPU."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def told(folder: Path) -> str:
    """Return what the measurement ran on, in words."""
    path = folder / "machine.json"
    if not path.exists():
        return "Nothing was measured yet."
    info = json.loads(path.read_text())
    packages = ", ".join(f"{name} {info[name]}" for name in ("Python", *PACKAGES, "envpool") if name in info)
    return f"Last measured on {info['date']}, on {info['cpus']} CPUs ({info['cpu']}) with\n{packages}."
