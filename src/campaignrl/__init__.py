"""campaignrl."""
