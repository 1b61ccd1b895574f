"""`campaignrl profile`: customers from their events, shown, searched, cut into segments, kept live.

build.py     `campaignrl profile`: customers from their events, and kept up to date
feedback.py  `campaignrl profile feedback`: what customers write, as attributes
items.py     `campaignrl profile recommend`: the items to show each customer, and whether they beat what is simple
segment.py   `campaignrl profile segment` and `campaignrl profile draw`: segments of customers, and customers drawn
             from them
show.py      `campaignrl profile show` and `cohorts`: the tags of all customers, of one, or of those that a search finds
watch.py     `campaignrl profile watch`: tags kept live by files of events as they come
"""
