"""The decision service on the command line: serve, store.

learn.py    `campaignrl store learn`: what came back to a candidate, held against the champion, promoted by rule
serve.py    `campaignrl serve`: answer decisions over HTTP until it is told to stop
store.py    `campaignrl store`: tokens, backup and restore, the flow into a ledger, the audit trail
"""
