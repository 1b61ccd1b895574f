"""From customer data to what is known of customers.

lifecycle.py  the lifecycle stage, from the order history
"""
