"""Observation, reward and termination of each robot, written for all lanes at once."""

from transreward_envs.batched.tasks.arms import PusherTask, Reacher7Task, ReacherTask
from transreward_envs.batched.tasks.ground import AntTask, HumanoidTask
from transreward_envs.batched.tasks.pendulums import InvertedDoublePendulumTask, InvertedPendulumTask
from transreward_envs.batched.tasks.planar import HalfCheetahTask, HopperTask, SwimmerTask, Walker2dTask
from transreward_envs.batched.tasks.task import Task

TASKS: dict[str, type[Task]] = {
    "Hopper": HopperTask,
    "Walker2d": Walker2dTask,
    "HalfCheetah": HalfCheetahTask,
    "Ant": AntTask,
    "Humanoid": HumanoidTask,
    "Swimmer": SwimmerTask,
    "Reacher": ReacherTask,
    "Pusher": PusherTask,
    "InvertedPendulum": InvertedPendulumTask,
    "InvertedDoublePendulum": InvertedDoublePendulumTask,
    "Reacher7": Reacher7Task,
}
"""By the name of the robot."""

__all__ = ["TASKS", "Task"]
