"""The customer-day of dynamics/ written as recommender simulators are: one Python object and one step per customer.

A reference for speed only: the same arithmetic and the same number of draws in scalar Python, from `random`.
"""

import math
import random

from campaignrl.dynamics import Parameters
from campaignrl.effects import ClickIntentEffect, FatigueEffect


class Customer:
    """One customer with the state of a panel row."""

    def __init__(self, p: Parameters, channels: int, source: random.Random):
        self.p, self.draw = p, source
        tired, self.contact = p.effect(FatigueEffect), p.effect(ClickIntentEffect).spec
        self.tired, self.tired_left = tired.spec, tired.decay
        self.tired_by, self.tired_leave = tired.units.tolist(), tired.unsubscribe.tolist()
        self.segment, self.rate, self.drop_rate = 0, 0.02, 0.003
        self.sensitivity, self.log_basket = 0.2, 4.5
        self.affinity = [0.0] * channels
        self.alive, self.consent, self.fatigue = True, [True] * channels, 0.0
        self.live_offer, self.live_days, self.orders, self.discounted, self.spend = -1, 0, 1, 0, 90.0
        self.last_order = -10.0
        self.sent, self.opened, self.clicked = [0] * channels, 0, 0

    def step(self, action: int, day: int) -> float:
        """One day; the reward."""
        p, u = self.p, self.draw.random
        offer, channel = p.offer_of[action], p.channel_of[action]
        opened = clicked = unsubscribed = False
        if action:
            delivered = u() < p.deliver[channel]
            taste = p.taste[self.segment][offer]
            logit = p.open_logit[channel] + self.affinity[channel] + taste - self.tired.open * self.fatigue
            opened = delivered and u() < 1.0 / (1.0 + math.exp(-logit))
            clicked = opened and u() < 1.0 / (1.0 + math.exp(-(p.click_logit[channel] + taste)))
            leaving = p.unsubscribe_logit[channel] + self.tired_leave[channel] * self.fatigue
            unsubscribed = delivered and u() < 1.0 / (1.0 + math.exp(-leaving))
        u_buy, u_redeem, u_drop, u_revive = u(), u(), u(), u()
        alive = self.alive or (opened and u_revive < p.revives[offer])
        if opened:
            self.live_offer, self.live_days = offer, p.valid_days[offer]
        held = self.live_offer
        lift = p.appeal[held] + p.taste[self.segment][held] + 10.0 * self.sensitivity * p.price_cut[held]
        lift += self.contact.open_lift * opened + self.contact.click_lift * clicked
        bought = alive and u_buy < -math.expm1(-self.rate * math.exp(lift))
        redeemed = bought and held >= 0 and u_redeem < p.redeem[held]
        z = self.draw.gauss(0.0, 1.0) if bought else 0.0
        revenue = math.exp(self.log_basket + p.basket_sigma[self.segment] * z) if bought else 0.0
        self.fatigue = self.fatigue * self.tired_left + (self.tired_by[channel] if action else 0.0)
        drop = -math.expm1(-self.drop_rate * math.exp(self.tired.drop_out * self.fatigue - p.retention[held]))
        self.alive = alive and u_drop >= drop
        self.live_days -= 1
        if self.live_days < 0 or redeemed:
            self.live_offer, self.live_days = -1, 0
        self.orders, self.discounted, self.spend = (
            self.orders + bought,
            self.discounted + redeemed,
            self.spend + revenue,
        )
        self.last_order = day if bought else self.last_order
        self.sent = [bits << 1 & 0xFFFFFFFFFFFFFFFF for bits in self.sent]
        if action:
            self.sent[channel] |= 1
        self.opened = (self.opened << 1 | opened) & 0xFFFFFFFFFFFFFFFF
        self.clicked = (self.clicked << 1 | clicked) & 0xFFFFFFFFFFFFFFFF
        if unsubscribed:
            self.consent[channel] = False
        margin = revenue * p.margin[self.segment]
        discount = revenue * p.discount[held] + p.face_value[held] if redeemed else 0.0
        return margin - discount - p.send_cost[action] - p.unsubscribe_cost * unsubscribed
