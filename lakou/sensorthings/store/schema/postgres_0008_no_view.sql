-- Stores made before 26 November 2026, 17:16 UTC have a view that nothing reads any more.
drop view if exists observation_by_id;
