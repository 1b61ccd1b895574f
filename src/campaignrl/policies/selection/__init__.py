"""`dr_select`: of several classes of policy the one that a log shows to be worth most, or whoever wrote the log.

candidates.py   Classes of policies fitted to doubly robust scores: segment means, linear, with products of
                columns, a tree
dr_select.py    `dr_select`: candidates judged by cross-fitted doubly robust value; the logging policy if none is
                shown better
judgement.py    What a candidate is worth over the log's own way on customers it has not learned from, and if the
                log can say so
policy_tree.py  A shallow tree whose leaves decide: grown greedily on scores of every action
"""
