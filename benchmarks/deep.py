"""Speed of deep learners: training in a world, and deciding with the network that comes out of it.

  defaults   the same MaskablePPO on the same environment with the settings stable-baselines3 comes with
  torch      the same network by torch
  recurrent  recurrent_ppo, which remembers customers, on a quarter of the steps

`python benchmarks/deep.py [--world W] [--steps N] [--json]`; needs the extra `rl`. Rates are per CPU second on one
thread; of repeats the best counts, ours and the reference taking turns.
"""

import argparse
import json
import sys
import time
from functools import partial

import numpy as np
import torch
from sb3_contrib import MaskablePPO

import campaignrl as crl
from campaignrl import Catalog
from campaignrl.envs import Panel, sb3
from campaignrl.features import Feature, FeatureSchema
from campaignrl.policies import build_policy, in_chunks, one_blas_thread
from campaignrl.policies.deep import RunOptions, TrainingVectorEnv, ask, forward, memory_for

ROWS = 200_000
REPEATS = 5


class Stopwatch:
    """CPU seconds spent in an environment's step."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._step = TrainingVectorEnv.step

    def __enter__(self):
        def timed(env, actions):
            start = time.process_time()
            answer = self._step(env, actions)
            self.seconds += time.process_time() - start
            return answer

        TrainingVectorEnv.step = timed
        return self

    def __exit__(self, *_: object) -> None:
        TrainingVectorEnv.step = self._step


def training(world, steps: int, kind: str = "maskable_ppo") -> dict:
    """Frames per CPU second of a learner as its file sets it, and how much of the time the environment takes."""
    policy = build_policy(kind, world.catalog, world.features)
    with Stopwatch() as env:
        wall, start = time.perf_counter(), time.process_time()
        policy.learn(world, RunOptions(steps))
        seconds, wall = time.process_time() - start, time.perf_counter() - wall
    frames = policy.curve[-1].steps
    return {
        "frames": frames,
        "frames_per_cpu_s": frames / seconds,
        "environment_share": env.seconds / seconds,
        "wall_seconds_for_1m": wall * 1e6 / frames,
        "cpu_seconds_for_1m": seconds * 1e6 / frames,
    }


def defaults(world, steps: int = 16_384) -> float:
    """Frames per CPU second with the library's own settings: 8 environments, batches of 64, ten epochs."""
    torch.set_num_threads(1)
    env = sb3.CustomersVecEnv(TrainingVectorEnv(8, world))
    model = MaskablePPO("MlpPolicy", env, n_steps=2_048, seed=0, device="cpu")
    start = time.process_time()
    model.learn(steps)
    return model.num_timesteps / (time.process_time() - start)


def rate(work) -> float:
    """Rows per CPU second."""
    start = time.process_time()
    work()
    return ROWS / (time.process_time() - start)


def network(d: int = 32, k: int = 20):
    """A trained-looking policy d-64-64-k, its features numbers in [0, 1]."""
    schema = FeatureSchema(tuple(Feature(name=f"x{i}") for i in range(d)))
    policy = build_policy("maskable_ppo", Catalog.from_names([f"a{i}" for i in range(1, k)]), schema)
    chance = np.random.default_rng(0)
    policy.restore({n: chance.normal(0, 0.3, a.shape).astype(np.float32) for n, a in policy.tensors().items()})
    return policy


def forward_rates() -> dict:
    """Rows per CPU second of the bare forward pass, ours at the chunk that decides and torch at its best batch."""
    policy, chance = network(), np.random.default_rng(1)
    X = chance.random((ROWS, 32), dtype=np.float32)
    modules = []
    for layer in policy.layers:
        linear = torch.nn.Linear(*layer.weight.shape)
        linear.weight.data, linear.bias.data = torch.tensor(layer.weight.T.copy()), torch.tensor(layer.bias)
        modules += [linear, torch.nn.ReLU()]
    theirs, parts = torch.nn.Sequential(*modules[:-1]), torch.from_numpy(X).split(1_024)
    torch.set_num_threads(1)

    def ours() -> None:
        with one_blas_thread():
            in_chunks(lambda rows: forward(rows, policy.layers, "relu"), X)

    def by_torch() -> None:
        with torch.inference_mode():
            for part in parts:
                theirs(part)

    best = {"numpy": 0.0, "torch": 0.0}
    for _ in range(REPEATS):
        for name, work in (("numpy", ours), ("torch", by_torch)):
            best[name] = max(best[name], rate(work))
    return best


def deciding_rates(world) -> dict:
    """Rows per CPU second from raw columns to exact probabilities in the world, and one row at a time."""
    policy = build_policy("maskable_ppo", world.catalog, world.features)
    chance = np.random.default_rng(0)
    policy.restore({n: chance.normal(0, 0.3, a.shape).astype(np.float32) for n, a in policy.tensors().items()})
    panel = Panel(world, ROWS)
    context = panel.observe()
    allowed = panel.allowed(context)
    whole = max(rate(lambda: policy.probabilities(context, allowed)) for _ in range(REPEATS))
    row, mask = context.take(slice(0, 1)), allowed[:1]
    policy.probabilities(row, mask)
    start = time.process_time()
    for _ in range(500):
        policy.probabilities(row, mask)
    return {"rows_per_cpu_s": whole, "single_rows_per_cpu_s": 500 / (time.process_time() - start)}


def remembering_rate(world) -> float:
    """Rows per CPU second of recurrent_ppo: a day added to what is remembered, then exact probabilities."""
    policy = build_policy("recurrent_ppo", world.catalog, world.features)
    chance = np.random.default_rng(0)
    policy.restore({n: chance.normal(0, 0.3, a.shape).astype(np.float32) for n, a in policy.tensors().items()})
    panel = Panel(world, ROWS)
    context = panel.observe()
    allowed, key = panel.allowed(context), panel.traits.key
    memory = memory_for(policy)
    memory.meet(key)
    return max(rate(partial(ask, policy, memory, key, day, context, allowed)) for day in range(REPEATS))


def main() -> None:
    """Read the words of the call, run, and say what came out."""
    words = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    words.add_argument("--world", default="ecommerce")
    words.add_argument("--steps", type=int, default=1_000_000)
    words.add_argument("--json", action="store_true")
    chosen = words.parse_args()
    world = crl.load_world(chosen.world)
    answer = {"world": world.name, "training": training(world, chosen.steps), "defaults_per_cpu_s": defaults(world)}
    answer |= {"forward": forward_rates(), "deciding": deciding_rates(world)}
    answer["recurrent"] = training(world, chosen.steps // 4, "recurrent_ppo") | {
        "rows_per_cpu_s": remembering_rate(world)
    }
    if chosen.json:
        json.dump(answer, sys.stdout, indent=2)
        return
    t, f, d = answer["training"], answer["forward"], answer["deciding"]
    print(f"maskable_ppo in {world.name}, {t['frames'] / 1e6:.2f} M customer-days")
    print(f"  frames per CPU second      {t['frames_per_cpu_s'] / 1e3:8.1f} k")
    print(f"  with the library's own     {answer['defaults_per_cpu_s'] / 1e3:8.2f} k")
    print(f"  environment's share        {t['environment_share']:8.1%}   twins included")
    print(f"  1 M customer-days          {t['cpu_seconds_for_1m']:8.1f} CPU s, {t['wall_seconds_for_1m']:.1f} s")
    print("network 32-64-64-20, forward pass, rows per CPU second")
    print(f"  numpy {f['numpy'] / 1e6:6.2f} M   torch {f['torch'] / 1e6:6.2f} M   ratio {f['numpy'] / f['torch']:.2f}")
    print(f"deciding in {world.name}, columns to probabilities: {d['rows_per_cpu_s'] / 1e6:.2f} M rows per CPU second")
    print(f"  one customer at a time: {d['single_rows_per_cpu_s'] / 1e3:.2f} k decisions per CPU second")
    r = answer["recurrent"]
    print(f"recurrent_ppo in {world.name}, {r['frames'] / 1e6:.2f} M customer-days")
    print(f"  frames per CPU second      {r['frames_per_cpu_s'] / 1e3:8.1f} k")
    print(f"  deciding and remembering   {r['rows_per_cpu_s'] / 1e6:8.2f} M rows per CPU second")


if __name__ == "__main__":
    main()
