-- How long a Datastream keeps its Observations, and what they came to by hour and by day; microseconds, null for ever.
alter table datastream add column keep_raw bigint;
alter table datastream add column keep_hourly bigint;
alter table datastream add column keep_daily bigint;

-- What Observations came to that are not kept any more, in the form of the rollups.
create table history_hour (like rollup_hour including all);
create table history_day (like rollup_day including all);
