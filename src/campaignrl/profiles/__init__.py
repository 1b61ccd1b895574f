"""Profiles: intake, tags, segments and population, from raw customer data to the features that a policy sees."""
