"""Our vector environments pass every check, and each check fails on an environment broken in its way."""

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, VectorWrapper

from campaignrl.envs.bandit import BanditEnv, BanditVectorEnv
from campaignrl.envs.single import LifecycleEnv
from campaignrl.envs.vector import LifecycleVectorEnv
from campaignrl.envs.vector_checks import CHECKS, check_vector_env, findings
from campaignrl.errors import CampaignError
from campaignrl.registration import ENVIRONMENTS
from campaignrl.specs.world import load_world

FACES = [(LifecycleVectorEnv, LifecycleEnv), (BanditVectorEnv, BanditEnv)]


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize(("vector", "single"), FACES)
def test_our_vector_environments_are_clean_in_the_three_modes(vector, single, mode, small_world):
    check_vector_env(vector(7, small_world, autoreset_mode=mode), single(small_world))


@pytest.mark.parametrize(("vector", "single"), FACES)
def test_one_customer_and_the_bundled_world_are_clean_too(vector, single):
    world = load_world("ecommerce", horizon=9)
    check_vector_env(vector(1, world), single(world))


@pytest.mark.parametrize("name", sorted(ENVIRONMENTS))
def test_gymnasium_finds_both_forms_and_its_checker_is_clean(name, small_world):
    check_env(gymnasium.make(name, world=small_world).unwrapped)
    envs = gymnasium.make_vec(name, num_envs=3, world=small_world)
    assert envs.observation_space.contains(envs.reset(seed=1)[0])


class Broken(VectorWrapper):
    """A wrapper that spoils what `spoil` is given: a list of observation, reward, flags and infos."""

    first_mask = None

    def reset(self, *, seed=None, options=None):
        observation, infos = self.env.reset(seed=seed, options=options)
        return self.seen(observation), self.told(infos)

    def step(self, actions):
        observation, reward, terminated, truncated, infos = self.env.step(actions)
        return self.seen(observation), self.paid(reward), self.over(terminated), truncated, self.told(infos)

    def seen(self, observation):
        return observation

    def paid(self, reward):
        return reward

    def over(self, terminated):
        return terminated

    def told(self, infos):
        return infos


class WrongSpace(Broken):
    @property
    def observation_space(self):
        return self.env.single_observation_space


class ModeAsText(Broken):
    @property
    def metadata(self):
        return {**self.env.metadata, "autoreset_mode": self.env.metadata["autoreset_mode"].value}


class DoublePrecision(Broken):
    def seen(self, observation):
        return observation.astype(np.float64)


class RewardKindWanders(Broken):
    calls = 0

    def paid(self, reward):
        self.calls += 1
        return reward.astype(np.float32 if self.calls % 2 else np.float64)


class FlagsAsNumbers(Broken):
    def over(self, terminated):
        return terminated.astype(np.int64)


class UnpairedInfo(Broken):
    def told(self, infos):
        return {k: v for k, v in infos.items() if k != "_cost"}


class PairWithoutValue(Broken):
    def told(self, infos):
        return infos | {"_gift": np.ones(self.num_envs, dtype=bool)}


class ShortInfo(Broken):
    def told(self, infos):
        return infos | {"day": np.zeros(2), "_day": np.ones(self.num_envs, dtype=bool)}


class NestedUnpaired(Broken):
    def told(self, infos):
        if "final_info" in infos:
            infos["final_info"] = {"cost": infos["final_info"]["cost"]}
        return infos


class NoneForbidden(Broken):
    def told(self, infos):
        return infos | {"action_mask": infos["action_mask"] & (np.arange(self.single_action_space.n) > 0)}


class StaleMask(Broken):
    """The mask of the first observation, for ever."""

    def told(self, infos):
        if self.first_mask is None:
            self.first_mask = infos["action_mask"].copy()
        return infos | {"action_mask": self.first_mask.copy()}


class FlagsAllowed(Broken):
    def told(self, infos):
        return infos | ({"invalid": np.ones(self.num_envs, dtype=bool)} if "invalid" in infos else {})


class FlagsNothing(Broken):
    def told(self, infos):
        return infos | ({"invalid": np.zeros(self.num_envs, dtype=bool)} if "invalid" in infos else {})


class PunishesRefused(Broken):
    def step(self, actions):
        observation, reward, terminated, truncated, infos = self.env.step(actions)
        return observation, reward - infos["invalid"], terminated, truncated, infos


class NoFinal(Broken):
    def told(self, infos):
        return {k: v for k, v in infos.items() if k not in ("final_obs", "_final_obs")}


class FinalIsNext(Broken):
    """`final_obs` shows the next episode, as a reset too early would."""

    def step(self, actions):
        observation, reward, terminated, truncated, infos = self.env.step(actions)
        if "final_obs" in infos:
            infos["final_obs"] = observation.copy()
        return observation, reward, terminated, truncated, infos


class PaysForReset(Broken):
    """Reward 1 in the call that resets."""

    ended = False

    def step(self, actions):
        observation, reward, terminated, truncated, infos = self.env.step(actions)
        reward, self.ended = reward + self.ended, terminated.any()
        return observation, reward, terminated, truncated, infos


class ActsInReset(Broken):
    """The action of the call that resets is played."""

    ended = False

    def step(self, actions):
        answer = self.env.step(actions)
        if self.ended:
            answer = self.env.step(actions)
        self.ended = answer[2].any()
        return answer


class GoesOn(Broken):
    """Answers after the end as if nothing were."""

    last = None

    def step(self, actions):
        if self.last is not None and self.last[2].any():
            return self.last
        self.last = self.env.step(actions)
        return self.last

    def reset(self, *, seed=None, options=None):
        self.last = None
        return self.env.reset(seed=seed, options=options)


class ResetsAll(Broken):
    def reset(self, *, seed=None, options=None):
        return self.env.reset(seed=seed)


class ResetsNothing(Broken):
    """A partial reset returns what was there before."""

    kept = None

    def reset(self, *, seed=None, options=None):
        if options is not None and self.kept is not None:
            return self.kept
        self.kept = self.env.reset(seed=seed)
        return self.kept

    def step(self, actions):
        answer = self.env.step(actions)
        self.kept = answer[0].copy(), answer[4]
        return answer


class OneBuffer(Broken):
    buffer = None

    def seen(self, observation):
        if self.buffer is None:
            self.buffer = observation.copy()
        self.buffer[...] = observation
        return self.buffer


class LeaksState(Broken):
    """The reward is worked out from the array that the caller was given before."""

    given = None

    def told(self, infos):
        self.given = infos["action_mask"]
        return infos

    def step(self, actions):
        spoilt = 0.0 if self.given is None else float(not self.given[:, 0].all())
        observation, reward, terminated, truncated, infos = self.env.step(actions)
        return observation, reward + spoilt, terminated, truncated, self.told(infos)


class Unseeded(Broken):
    calls = 0

    def reset(self, *, seed=None, options=None):
        self.calls += 1
        return self.env.reset(seed=None if seed is None else seed + self.calls, options=options)


class OneSeed(Broken):
    def reset(self, *, seed=None, options=None):
        return self.env.reset(seed=None if seed is None else 5, options=options)


class SameAgain(Broken):
    last = 0

    def reset(self, *, seed=None, options=None):
        self.last = self.last if seed is None else seed
        return self.env.reset(seed=self.last, options=options)


class NotPickled(Broken):
    def __init__(self, env):
        super().__init__(env)
        self.secret = lambda: None


class Forgetful(Broken):
    """A copy through pickle has lost count of its steps."""

    steps = 0

    def paid(self, reward):
        self.steps += 1
        return reward + 100.0 * self.steps

    def reset(self, *, seed=None, options=None):
        self.steps = 0
        return self.env.reset(seed=seed, options=options)

    def __getstate__(self):
        return {k: v for k, v in vars(self).items() if k != "steps"}


SAME, NEXT, OFF = AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP, AutoresetMode.DISABLED
BREAKS = [
    (WrongSpace, "spaces", SAME),
    (ModeAsText, "spaces", SAME),
    (DoublePrecision, "arrays", SAME),
    (RewardKindWanders, "arrays", SAME),
    (FlagsAsNumbers, "arrays", SAME),
    (UnpairedInfo, "infos", SAME),
    (PairWithoutValue, "infos", SAME),
    (ShortInfo, "infos", SAME),
    (NestedUnpaired, "infos", SAME),
    (NoneForbidden, "masks", SAME),
    (StaleMask, "masks", SAME),
    (FlagsAllowed, "invalid", SAME),
    (FlagsNothing, "invalid", SAME),
    (PunishesRefused, "invalid", SAME),
    (NoFinal, "final_obs", SAME),
    (FinalIsNext, "final_obs", SAME),
    (FinalIsNext, "autoreset", SAME),
    (PaysForReset, "autoreset", NEXT),
    (ActsInReset, "autoreset", NEXT),
    (GoesOn, "autoreset", OFF),
    (ResetsAll, "reset_mask", OFF),
    (ResetsNothing, "reset_mask", OFF),
    (OneBuffer, "aliasing", SAME),
    (LeaksState, "aliasing", SAME),
    (Unseeded, "seed", SAME),
    (OneSeed, "seed", SAME),
    (SameAgain, "seed", SAME),
    (NotPickled, "pickling", SAME),
    (Forgetful, "pickling", SAME),
]


@pytest.mark.parametrize(("broken", "check", "mode"), BREAKS, ids=[f"{b.__name__}-{c}" for b, c, _ in BREAKS])
def test_each_check_fails_on_an_environment_broken_in_its_way(broken, check, mode, small_world):
    env = broken(LifecycleVectorEnv(6, small_world, autoreset_mode=mode, threads=1))
    assert check in {problem.field for problem in findings(env, LifecycleEnv(small_world), [check])}


def test_each_check_has_an_environment_that_fails_it():
    assert {check for _, check, _ in BREAKS} == set(CHECKS)


def test_what_is_wrong_is_said_all_at_once(small_world):
    with pytest.raises(CampaignError) as wrong:
        check_vector_env(UnpairedInfo(DoublePrecision(LifecycleVectorEnv(4, small_world))))
    assert {"arrays", "infos"} <= {problem.field for problem in wrong.value.problems}
    assert "vector environment: infos = 'cost' is not an array of n values" in str(wrong.value)


def test_an_endless_environment_is_a_finding(small_world, monkeypatch):
    class Endless(Broken):
        def over(self, terminated):
            return np.zeros_like(terminated)

    monkeypatch.setattr("campaignrl.envs.rollout_checks.LONGEST", 30)
    found = findings(Endless(LifecycleVectorEnv(2, small_world)), None, ["seed"])
    assert any("no episode ended within 30 steps" in str(problem.value) for problem in found)
