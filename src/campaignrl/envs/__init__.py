"""Worlds that can be stepped.

panel.py         n customers day by day: the engine (no gymnasium)
single.py        one customer as a gymnasium Env
vector.py        n customers as a gymnasium VectorEnv
registration.py  the ids that `gymnasium.make` finds
"""
