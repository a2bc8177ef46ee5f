"""The ground: settings, secrets, database and journal, identity, phone numbers, calendar, clock. Knows
nobody above it.
"""
