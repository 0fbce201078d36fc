-- How long a Datastream keeps its Observations, and what they came to by hour and by day; microseconds, null for ever.
alter table datastream add column keep_raw integer;
alter table datastream add column keep_hourly integer;
alter table datastream add column keep_daily integer;

-- What Observations came to that are not kept any more, in the form of the rollups.
create table history_hour (
  datastream_id integer not null, start integer not null, quality integer not null,
  rows integer not null, count integer not null, sum real, min real, max real,
  first_time integer, first_id integer, first real, last_time integer, last_id integer, last real,
  time_end integer, result_time_min integer, result_time_max integer,
  primary key (datastream_id, start, quality)) without rowid;
create table history_day (
  datastream_id integer not null, start integer not null, quality integer not null,
  rows integer not null, count integer not null, sum real, min real, max real,
  first_time integer, first_id integer, first real, last_time integer, last_id integer, last real,
  time_end integer, result_time_min integer, result_time_max integer,
  primary key (datastream_id, start, quality)) without rowid;
