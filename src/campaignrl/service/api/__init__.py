"""The routes of the service.

customers.py   `/v1/customers/{id}`: what is known of one customer and what was decided; and its erasure
decide.py      `/v1/decide` and `/v1/decide/batch`: what to send to a customer now, or to many
express.py     The express lane: a plain request for one decision goes from the socket's bytes into the line, and back
health.py      `/healthz`, `/readyz`, `/metrics`: is the process up, may it decide, what has it counted
incoming.py    `/v1/outcomes`, `/v1/permissions`, `/v1/handed-over`: what comes back, and holds from the answer on
leave.py       Leave to hand a send over, asked for right before: go, or stop
models.py      What bodies and answers say. Types are strict, and no field goes unread
openapi.py     The OpenAPI description, with bodies, tokens and problems
past.py        What is answered about a customer's past: in the words, units and days in which it was told
plan.py        `/v1/plan`: what today has brought, and what is left. `/v1/trail`: who changed what
policies.py    `/v1/policies`: who decides, who only watches. `/v1/halt`: the kill switch
requests.py    From a request to what a route works with: who asks, its key, its body
"""

from campaignrl.service.api.customers import router as customers_routes
from campaignrl.service.api.decide import router as decide_routes
from campaignrl.service.api.express import Answer as Answer
from campaignrl.service.api.express import Express as Express
from campaignrl.service.api.health import router as health_routes
from campaignrl.service.api.incoming import router as incoming_routes
from campaignrl.service.api.openapi import description as description
from campaignrl.service.api.openapi import methods_of as methods_of
from campaignrl.service.api.plan import plan_of_today as plan_of_today
from campaignrl.service.api.plan import router as plan_routes
from campaignrl.service.api.policies import router as policies_routes
from campaignrl.service.api.requests import let_in as let_in
from campaignrl.service.api.requests import service_of as service_of

ROUTES = (decide_routes, incoming_routes, customers_routes, policies_routes, plan_routes, health_routes)
