"""Speed of the faces, as ratios to references measured in the same run.

  cartpole   gymnasium's own native vector CartPole: four state variables and no mask, the strongest reference there is
  dummy      stable-baselines3's DummyVecEnv of our own single environments, inside the same MaskablePPO rollout

`python benchmarks/envs.py [--world W] [--json]`; the second part needs the extra `rl`. Figures are environment steps
per CPU second on one thread: observation, reward, infos and mask included, ends and new customers too. Repeats of ours
and the reference alternate, and the best of each counts, so that what else the machine does touches both alike.
"""

import argparse
import json
import sys
import time

import gymnasium
import numpy as np

from campaignrl import load_world
from campaignrl.envs import BanditVectorEnv, LifecycleEnv, LifecycleVectorEnv

WIDTHS = {64: 270, 1_024: 180, 100_000: 12}  # customers: steps a repeat
REPEATS = 5


def seconds_per_step(env, actions: list, steps: int) -> float:
    """CPU seconds of one call of step."""
    start = time.process_time()
    for step in range(steps):
        env.step(actions[step % len(actions)])
    return (time.process_time() - start) / steps


def alternating(envs: dict, steps: int) -> dict[str, float]:
    """Best CPU seconds per call of step, for each environment; random actions."""
    chance, best = np.random.default_rng(0), {}
    plays = {
        name: [chance.integers(0, e.single_action_space.n, e.num_envs) for _ in range(7)] for name, e in envs.items()
    }
    for name, env in envs.items():
        env.reset(seed=0)
        seconds_per_step(env, plays[name], 3)
    for _ in range(REPEATS):
        for name, env in envs.items():
            best[name] = min(best.get(name, np.inf), seconds_per_step(env, plays[name], steps))
    return best


def against_cartpole(world) -> dict:
    """By width: microseconds a call, steps per CPU second, and how many times CartPole's time a step takes."""
    rows = {}
    for n, steps in WIDTHS.items():
        cartpole = gymnasium.make_vec("CartPole-v1", num_envs=n, vectorization_mode="vector_entry_point")
        best = alternating({"cartpole": cartpole, "lifecycle": LifecycleVectorEnv(n, world, threads=1)}, steps)
        rows[n] = {
            "cartpole_us": best["cartpole"] * 1e6,
            "lifecycle_us": best["lifecycle"] * 1e6,
            "lifecycle_steps_per_cpu_s": n / best["lifecycle"],
            "times_cartpole": best["lifecycle"] / best["cartpole"],
        }
    bandit = alternating({"bandit": BanditVectorEnv(1_024, world, threads=1)}, 20)["bandit"]
    return {"widths": rows, "bandit_decisions_per_cpu_s": 1_024 / bandit}


OPTIONS = {
    "observe everything": {"observe": "everything"},
    "reward incremental": {"reward": "incremental"},
    "reward expected": {"reward": "expected"},
    "a drawn price": {"price": (0.0, 5.0)},
    "a week a step": {"step": "week"},
}


def with_options(world, n: int = 1_024) -> dict[str, float]:
    """Time of a step with each option, over that of the plain face in the same run."""
    made = {"plain": LifecycleVectorEnv(n, world, threads=1)}
    made |= {name: LifecycleVectorEnv(n, world, threads=1, **options) for name, options in OPTIONS.items()}
    best = alternating(made, 40)
    return {name: best[name] / best["plain"] for name in OPTIONS}


def rollout_rate(env, steps: int) -> float:
    """Environment steps per CPU second of MaskablePPO collecting a rollout, without learning."""
    import torch
    from sb3_contrib import MaskablePPO
    from stable_baselines3.common.callbacks import CallbackList

    torch.set_num_threads(1)
    model = MaskablePPO("MlpPolicy", env, n_steps=steps, seed=0, device="cpu")
    _, callback = model._setup_learn(env.num_envs * steps, CallbackList([]))
    start = time.process_time()
    model.collect_rollouts(model.env, callback, model.rollout_buffer, steps)
    return env.num_envs * steps / (time.process_time() - start)


def against_dummy(world, n: int = 1_024) -> dict:
    """Rollout and bare stepping of the stable-baselines3 face, against a DummyVecEnv of single environments."""
    from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor

    from campaignrl.envs import sb3

    ours = max(rollout_rate(VecMonitor(sb3.lifecycle(world, n, threads=1)), 90) for _ in range(3))
    dummy = rollout_rate(VecMonitor(DummyVecEnv([lambda: LifecycleEnv(world)] * n)), 3)
    return {"customers": n, "ours_per_cpu_s": ours, "dummy_per_cpu_s": dummy, "ratio": ours / dummy}


def main() -> None:
    """Read the words of the call, run, and say what came out."""
    words = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    words.add_argument("--world", default="ecommerce")
    words.add_argument("--json", action="store_true")
    chosen = words.parse_args()
    world = load_world(chosen.world)
    answer = against_cartpole(world) | {"with_options": with_options(world)}
    try:
        answer["rollout"] = against_dummy(world)
    except ImportError:
        answer["rollout"] = None
    if chosen.json:
        json.dump(answer, sys.stdout, indent=2)
        return
    print(f"{'customers':>10} {'CartPole us':>12} {'ours us':>10} {'M steps/CPU s':>14} {'times CartPole':>15}")
    for n, row in answer["widths"].items():
        rate = row["lifecycle_steps_per_cpu_s"] / 1e6
        print(
            f"{n:10} {row['cartpole_us']:12.0f} {row['lifecycle_us']:10.0f} {rate:14.3f} {row['times_cartpole']:15.1f}"
        )
    print(f"\none-decision environment   {answer['bandit_decisions_per_cpu_s'] / 1e3:8.1f} k decisions per CPU s")
    for name, times in answer["with_options"].items():
        print(f"{name:26} {times:8.2f} x the plain step")
    if answer["rollout"] is None:
        print("rollout: needs the extra `rl`")
        return
    rollout = answer["rollout"]
    print(f"MaskablePPO rollout        {rollout['ours_per_cpu_s'] / 1e3:8.1f} k steps per CPU s")
    print(f"  of a DummyVecEnv         {rollout['dummy_per_cpu_s'] / 1e3:8.1f} k steps per CPU s")
    print(f"  ratio                    {rollout['ratio']:8.1f} x")


if __name__ == "__main__":
    main()
