"""The black-box harness: the real product as a child process, and a thin client of its public API."""
