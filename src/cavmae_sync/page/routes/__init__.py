"""Addresses of the service: `library`, `search`, `edit` and `teach`; `bodies`: what they take."""
