"""Today's sends: decide, ledger, guard, audit, monitor, erase.

answer.py   What `decide` leaves behind: its files, and the plan in words or as JSON
audit.py    `campaignrl audit`: was any rule broken? Recomputed from a log or a ledger; exit code 1 where one was
decide.py   `campaignrl decide`: today's send list for a customers table
erase.py    `campaignrl erase`: everything a ledger holds of one customer goes; nobody contacts them again
guard.py    `campaignrl guard`: what the rules are that every send must meet
in_shards.py `campaignrl decide` on a table too long to hold: decided in shards, written part by part
ledger.py   `campaignrl ledger`: begin one, add what came back, show it, read its decision log
monitor.py  `campaignrl monitor`: is what runs still healthy? Exit code 1 where an alarm is up, 4 where nothing is known
            yet
request.py  What a call of `decide` asks for, read so that all that is wrong with it is said at once, before anything is
            done
what_if.py  `decide --what-if`: what other budgets would bring, as a table and a picture
"""
