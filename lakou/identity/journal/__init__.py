"""The journal: an append-only, hash-chained record of every act that matters (trust R9).

`acts.py` is the table of acts, `actions.record` the only writer, `queries.verify` finds what was changed afterwards.
"""
