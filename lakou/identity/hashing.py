"""Argon2id for passwords, sized for a small machine that also takes in measurements (RFC 9106, OWASP's figures).

Django's own figures take 100 MiB a hash; some thirty log-ins at once would take the whole machine. Here it is 32 MiB,
on half of the processors at most: further ones wait for their turn, and the sensors go on.
"""

from __future__ import annotations

import os
import threading

from django.contrib.auth.hashers import Argon2PasswordHasher

AT_ONCE = max(1, (os.cpu_count() or 1) // 2)
_turn = threading.BoundedSemaphore(AT_ONCE)


class BoundedArgon2(Argon2PasswordHasher):
    """Argon2id with 32 MiB, three passes, one lane."""

    time_cost = 3
    memory_cost = 32 * 1024
    parallelism = 1

    def encode(self, password: str, salt: str) -> str:
        """The stored form of a password."""
        with _turn:
            return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        """Whether this is the password."""
        with _turn:
            return super().verify(password, encoded)
