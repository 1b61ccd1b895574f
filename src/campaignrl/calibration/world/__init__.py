"""From fitted numbers to the TOML of a world.

draft.py                        The first draft of a world: what the log and the profiles say outright, and a
                                template for the rest
method_of_simulated_moments.py  Solving for a world's numbers: the campaign is replayed until simulated figures are
                                the real ones
replay.py                       The same campaign in a simulated world: who got what on which day, again, with
                                simulated customers
world_file.py                   A world as a TOML file that people can read: one number a line, and beside it where
                                it came from
"""
