"""Plan → one `Statement(text, parameters)`, for SQLite and for PostgreSQL. Never fails, touches no database.

`dialect` names what differs, `sqlite` and `postgres` fill it in; `expression`, `read` and `apply` write SQL.
"""
