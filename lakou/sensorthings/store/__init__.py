"""Statements → rows, jobs → commits. Only this package touches the observation database.

`sqlite` and `postgres` open it; `readers` runs statements with a time-out; `writer` is the one thread that
commits; `session` is one commit under way, with `observing` and `entities` as what can be done in it.
"""
