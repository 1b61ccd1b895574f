"""What `/metrics` shows, for Prometheus: counts, times and states of one worker. No customer's data, ever.

Labels have few values: routes, channels, policies, statuses. Not here: what is counted when (the modules that do it).
"""

from __future__ import annotations

from campaignrl.errors import MissingExtra

try:
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
except ImportError as missing:  # pragma: no cover
    raise MissingExtra("the service needs prometheus-client: pip install 'campaignrl[serve]'") from missing

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 1024, 5000)


class Metrics:
    """All figures of one worker, in a registry of its own."""

    def __init__(self) -> None:
        """Everything at nothing."""
        self.registry = at = CollectorRegistry()
        self.requests = Counter(
            "campaignrl_requests_total", "Requests by route and status.", ["route", "status"], registry=at
        )
        self.seconds = Histogram(
            "campaignrl_request_seconds", "Time of a request by route.", ["route"], buckets=SECONDS, registry=at
        )
        self.decisions = Counter(
            "campaignrl_decisions_total", "Decisions by policy and channel.", ["policy", "channel"], registry=at
        )
        self.blocked = Counter(
            "campaignrl_blocked_total", "Decisions to which nothing might be sent at all.", registry=at
        )
        self.replayed = Counter("campaignrl_replayed_total", "Answers given again to the same key.", registry=at)
        self.fallbacks = Counter(
            "campaignrl_fallback_total", "Decisions by the fallback, by why.", ["why"], registry=at
        )
        self.rounds = Histogram(
            "campaignrl_round_seconds", "Time of one transaction of requests.", buckets=SECONDS, registry=at
        )
        self.together = Histogram(
            "campaignrl_round_requests", "Requests decided in one transaction.", buckets=SIZES, registry=at
        )
        self.waiting = Gauge("campaignrl_waiting", "Requests that wait for their transaction.", registry=at)
        self.outcomes = Counter(
            "campaignrl_outcomes_total", "Outcomes by what became of them.", ["kind", "became"], registry=at
        )
        self.permissions = Counter("campaignrl_permissions_total", "Words of permission.", ["allowed"], registry=at)
        self.handovers = Counter("campaignrl_handovers_total", "Hand-overs by status.", ["status"], registry=at)
        self.store_down = Counter("campaignrl_store_down_total", "Transactions that the store refused.", registry=at)
        self.refused_policies = Counter(
            "campaignrl_policies_refused_total", "Policies that failed their check at load.", registry=at
        )
        self.shadows = Counter(
            "campaignrl_shadow_total", "What a shadow would have done, by policy.", ["policy", "same"], registry=at
        )
        self.halted = Gauge("campaignrl_halted", "1 while the kill switch is on.", registry=at)
        self.customers = Gauge("campaignrl_customers", "Customers in memory.", registry=at)
        self.policy_age = Gauge(
            "campaignrl_policy_age_days", "Days since the last outcome that the champion learned from.", registry=at
        )

    def text(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self.registry)
