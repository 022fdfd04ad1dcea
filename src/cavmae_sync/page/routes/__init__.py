"""Addresses of the service: `library`, `search`, `edit` and `teach`; `turns`: who waits where."""
