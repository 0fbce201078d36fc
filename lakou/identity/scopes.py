"""The scope numbers that have a meaning of their own (DESIGN §4 rule 9).

Every entity row carries one scope. 0 (public) and -1 (deleted) belong to `sensorthings.access`; 1 is where a
connector puts what an unknown device sends until somebody claims it; each token owns one further number.
"""

from lakou.sensorthings.access import DELETED, PUBLIC, UNCLAIMED

__all__ = ["DELETED", "PUBLIC", "UNCLAIMED"]
