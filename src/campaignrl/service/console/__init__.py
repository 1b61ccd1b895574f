"""The console: pages at `/` of the service, for people. Drawn on the server; it needs no network and no other host.

It changes nothing by itself: every change is a request to the service's own routes, with the token of who is signed in,
or a function of the campaign's folder (loop/).

audience.py     Who is there: a search over profiles, segments and tags, and one customer with history and why
experiments.py  What is being tried: exploration, holdout, shadows, A/B tests of the campaign's folder
inside.py       Requests of the console to the service's own routes, in this process
install.py      The console in an application: its routes, and its figures in `/metrics`
language.py     Chinese and English: one catalogue of messages, and which language a request asks for
live.py         Figures of today as they change, as server-sent events
page.py         How every page is made: template, language, who is signed in, headers that let nothing else in
plan.py         The plan of the morning, and its release
policies.py     Who decides and who would like to: values, verdicts, promote, roll back
sentences.py    What rules, send lists and policies say, in the language of the page
session.py      Who is signed in, and that a form came from a page of ours: cookies that scripts cannot read
system.py       The engine room: health, rules, tokens' changes, and the kill switch
today.py        The first page: sends, spend against budget, expected against seen, alerts
watch.py        The monitor's checks of the campaign's ledger, looked at again every few minutes, and as metrics
why.py          Why one customer would get what it would get now: the policy's own reasons, and what the rules refuse
"""

from campaignrl.service.console.install import install as install
