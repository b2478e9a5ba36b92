"""The wheel, in a clean environment, away from the checkout."""

import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_wheel_installs_into_a_clean_environment_and_makes_an_id(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path / "dist"), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    venv.create(tmp_path / "clean", with_pip=True)
    python = tmp_path / "clean" / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt", wheel]
    subprocess.run(install, check=True, capture_output=True)
    code = (
        "import gymnasium as gym, importlib.util as util, sys, pathlib\n"
        "env = gym.make('transreward_envs:TransReward/Ant-broken-hip_4-target-v0')\n"
        "env.reset(seed=0); env.step(env.action_space.sample())\n"
        "assert 'torch' not in sys.modules and util.find_spec('torch') is None\n"
        "names = [f'transreward_{name}' for name in ('envs', 'wrappers', 'baselines', 'assets')]\n"
        "folders = [pathlib.Path(util.find_spec(name).origin).parent for name in names]\n"
        "assert all('site-packages' in str(folder) for folder in folders), folders\n"
        "assert all((folder / 'py.typed').exists() for folder in folders), folders\n"
        "ours = ('wrappers', 'baselines', 'assets', 'tests', 'benchmarks', 'studies')\n"
        "assert not any(util.find_spec(name) for name in ours)\n"
        "try:\n"
        "    gym.make('TransReward/Hopper-gravity-2.0-darc-v0')\n"
        "except ModuleNotFoundError as error:\n"
        "    assert \"pip install 'transreward-envs[wrappers]'\" in str(error), error\n"
        "else:\n"
        "    raise AssertionError('compensation without its extra')\n"
        "print(env.unwrapped.model.actuator_gear[0, 0])"
    )
    run = subprocess.run([python, "-c", code], cwd=tmp_path, check=False, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "0.0"
