"""Every engine gives the same bits, says so once if it is the slower one, and leaves no thread behind."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import gymnasium as gym
import mujoco
import numpy as np
import pytest

from tests.envs.batched.equality import assert_equal_to_single_domains
from transreward_envs.batched import BatchedDomain, engines
from transreward_envs.batched.pool import Pool
from transreward_envs.batched.thread_engine import ThreadEngine

needs_batch = pytest.mark.skipif(not engines.HAS_BATCH, reason="this version of MuJoCo has no mujoco.batch")
LANES_OF_OTHERS = [
    (),
    {"kind": "mass", "scale": 2.0},
    {"kind": "friction", "scale": 0.3},
    {"kind": "delay", "steps": 1},
]


@pytest.fixture
def without_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do as if MuJoCo were an older one, that has said so already."""
    monkeypatch.setattr(engines, "HAS_BATCH", False)
    monkeypatch.setattr(engines, "say_once", lambda: None)


@pytest.fixture
def no_thread_more() -> Iterator[None]:
    """Check that as many threads run after a test as before."""
    before = threading.active_count()
    yield
    deadline = time.monotonic() + 5.0
    while threading.active_count() > before and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.01)
    assert threading.active_count() <= before  # fewer where lanes of an earlier test were let go meanwhile


@needs_batch
def test_contact_forces_choose_the_engine_that_has_them_at_hand() -> None:
    for robot, threaded in (("Hopper", False), ("Ant", True)):
        envs = BatchedDomain(num_envs=2, robot=robot, threads=1)
        assert isinstance(envs._engine, ThreadEngine) == threaded
        envs.close()


@pytest.mark.usefixtures("without_batch", "no_thread_more")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("robot", ["Hopper", "HalfCheetah", "Reacher", "InvertedDoublePendulum", "Ant"])
def test_threads_equal_single_domains(robot: str, threads: int) -> None:
    assert assert_equal_to_single_domains(robot, threads=threads, lanes=5, steps=90) > 0


@pytest.mark.usefixtures("without_batch", "no_thread_more")
@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
def test_threads_equal_single_domains_with_a_shift_a_lane(mode: str) -> None:
    assert assert_equal_to_single_domains("Hopper", mode=mode, lane_shifts=LANES_OF_OTHERS) > 0


@pytest.mark.usefixtures("without_batch", "no_thread_more")
@pytest.mark.parametrize(
    "keywords",
    [
        {"shift_range": {"kind": "mass", "scale": [0.5, 2.0]}, "observe_shift": True},
        {"shift_change": [{"step": 5, "shift": {"kind": "gravity", "scale": 2.0}}]},
        {"shift": {"kind": "repeat", "times": 3}},
    ],
    ids=["range", "change", "repeat"],
)
def test_threads_equal_single_domains_with_shifts_that_vary(keywords: dict) -> None:
    assert assert_equal_to_single_domains("Walker2d", **keywords) > 0


@pytest.mark.usefixtures("without_batch")
@pytest.mark.parametrize("threads", [1, 2])
def test_a_lane_whose_physics_blows_up_in_a_thread_is_flagged_alone(threads: int) -> None:
    envs, calm = (BatchedDomain(num_envs=3, robot="HalfCheetah", threads=threads) for _ in range(2))
    actions = np.full(envs.action_space.shape, 0.3, dtype=np.float32)
    for each in (envs, calm):
        each.reset(seed=0)
    for _ in range(3):
        envs._engine.qvel[1] = 1e12
        seen, rewards, _, truncated, infos = envs.step(actions)
        assert infos["physics_failed"].tolist() == truncated.tolist() == [False, True, False]
        assert rewards[1] == 0.0
        assert np.array_equal(seen[[0, 2]], calm.step(actions)[0][[0, 2]])
        seen, _, _, truncated, infos = envs.step(actions)
        assert not infos["physics_failed"].any()
        assert np.array_equal(seen[[0, 2]], calm.step(actions)[0][[0, 2]])
    for each in (envs, calm):
        each.close()


def test_an_error_of_mujoco_fails_a_lane_and_keeps_its_state(monkeypatch: pytest.MonkeyPatch) -> None:
    envs = BatchedDomain(num_envs=3, robot="Ant", threads=2)
    envs.reset(seed=0)
    before, step = envs._engine.qpos.copy(), mujoco.mj_step

    def raises(model: mujoco.MjModel, data: mujoco.MjData, substeps: int) -> None:
        if np.array_equal(data.qpos, before[1]):
            data.pstack = 100  # what an overflow leaves, and the next lane on this simulation would run out of
            raise mujoco.FatalError("stack overflow")
        step(model, data, substeps)

    monkeypatch.setattr(mujoco, "mj_step", raises)
    assert envs._engine.step(None, 5).tolist() == [False, True, False]
    assert (envs._engine.qpos == before).all(axis=1).tolist() == [False, True, False]
    assert [data.pstack for data in envs._engine._data] == [0, 0]
    envs.close()


@pytest.mark.usefixtures("without_batch")
def test_lanes_of_other_sizes_are_refused_by_threads_too() -> None:
    with pytest.raises(ValueError, match=r"must have models of the same sizes.*ngeom \d+, not \d+"):
        BatchedDomain(num_envs=2, robot="Hopper", lane_shifts=[(), {"kind": "obstacle", "x": 3.0}])


def test_an_older_mujoco_is_named_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "HAS_BATCH", False)
    engines.say_once.cache_clear()
    message = rf"mujoco {mujoco.__version__} has no `mujoco.batch`.*pip install 'mujoco>=3.17'"
    with pytest.warns(UserWarning, match=message) as said:
        for _ in range(2):
            gym.make_vec("TransReward/Hopper-v0", num_envs=2).close()
    assert len(said) == 1


@pytest.mark.usefixtures("no_thread_more")
@pytest.mark.parametrize("robot", ["Hopper", "Ant"])
@pytest.mark.parametrize("let_go", [gym.vector.VectorEnv.close, lambda envs: None], ids=["close", "forget"])
def test_no_thread_outlives_its_lanes(let_go: Callable, robot: str) -> None:
    tasks = "/proc/self/task"
    before = len(os.listdir(tasks)) if os.path.isdir(tasks) else 0
    envs = BatchedDomain(num_envs=4, robot=robot, threads=3)
    envs.reset(seed=0)
    envs.step(np.zeros(envs.action_space.shape, dtype=np.float32))
    assert envs.threads == 3
    let_go(envs)
    del envs
    deadline = time.monotonic() + 5.0
    while (left := (len(os.listdir(tasks)) if before else 0)) > before and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.01)
    assert left <= before


@pytest.mark.usefixtures("no_thread_more")
@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, IndexError])
@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_of_one_thread_stops_all_and_the_pool_goes_on(threads: int, error: type[BaseException]) -> None:
    pool, done = Pool(threads), []

    def work(thread: int, item: int) -> None:
        if item == 5:
            raise error(item)
        time.sleep(1e-4)
        done.append(item)

    with pytest.raises(error):
        pool.run(work, range(1000))
    count = len(done)
    time.sleep(0.01)
    assert count == len(done) < 100
    pool.run(work, range(5))
    assert sorted(done[count:]) == list(range(5))
    pool.close()
    pool.close()


ENDLESS = """
import os, signal, sys, threading, time
import numpy as np
from transreward_envs.batched import BatchedDomain, engines

def threads():  # those of C++ too, where the system tells
    return len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else threading.active_count()

signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background is begun with it ignored
before = threads()
engines.HAS_BATCH = engines.HAS_BATCH and sys.argv[2] == "batch"
engines.say_once = lambda: None
envs = BatchedDomain(num_envs=64, robot=sys.argv[1], threads=4)
envs.reset(seed=0)
actions = np.zeros(envs.action_space.shape, dtype=np.float32)
print("ready", flush=True)
try:
    while True:
        envs.step(actions)
except KeyboardInterrupt:
    if sys.argv[3] == "raised":
        raise
envs.reset(seed=0)
envs.step(actions)
envs.close()
deadline = time.monotonic() + 5.0
while threads() > before and time.monotonic() < deadline:
    time.sleep(0.01)
print(threads() - before, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="an interrupt is another thing there")
@pytest.mark.parametrize("way", ["caught", "raised"])
@pytest.mark.parametrize(("robot", "engine"), [("Hopper", "batch"), ("Hopper", "threads"), ("Ant", "threads")])
def test_an_interrupted_step_leaves_nothing_behind(robot: str, engine: str, way: str) -> None:
    if engine == "batch" and not engines.HAS_BATCH:
        pytest.skip("this version of MuJoCo has no mujoco.batch")
    command = [sys.executable, "-c", ENDLESS, robot, engine, way]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert child.stdout.readline() == "ready\n"
        time.sleep(0.3)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=300)
    finally:
        child.kill()
    if way == "caught":
        assert (child.returncode, out) == (0, "0\n"), err
    else:
        assert child.returncode in (-signal.SIGINT, 130)
        assert "KeyboardInterrupt" in err
