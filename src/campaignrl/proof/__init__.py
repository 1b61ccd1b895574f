"""Is a policy better than sending nothing, and no worse than business as usual and the best fixed action?

in_a_world.py   On fresh customers of a world, paired: the same customers with the same luck
on_a_log.py     On rows of a log that the policy has not learned from, with the verdict of its evaluation
prove.py        The one function that every kind goes through, and the taught copy that a log is proven by
"""

from campaignrl.proof.prove import proof_of_training as proof_of_training
from campaignrl.proof.prove import prove as prove
from campaignrl.proof.prove import refuse_unsupported as refuse_unsupported
