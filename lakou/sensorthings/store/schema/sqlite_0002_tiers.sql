-- Observations in two tiers (docs/decisions/0003): new rows go to one of two hot tables in the order of their ids; a
-- full one is drained into `sealed`, clustered by Datastream and time, while the other one fills.
create table hot_a (
  id integer primary key, datastream_id integer not null, time_start integer not null,
  time_end integer, result_time integer, valid_start integer, valid_end integer,
  result_type integer not null, result_number real, result_boolean integer, result_text text, result_json text,
  result_quality text, parameters text, feature_id integer not null, digest integer);
create index hot_a_stream on hot_a (datastream_id, time_start);
create index hot_a_time on hot_a (time_start);
create index hot_a_end on hot_a (datastream_id, time_end) where time_end is not null;
create index hot_a_result_time on hot_a (datastream_id, result_time) where result_time is not null;

create table hot_b (
  id integer primary key, datastream_id integer not null, time_start integer not null,
  time_end integer, result_time integer, valid_start integer, valid_end integer,
  result_type integer not null, result_number real, result_boolean integer, result_text text, result_json text,
  result_quality text, parameters text, feature_id integer not null, digest integer);
create index hot_b_stream on hot_b (datastream_id, time_start);
create index hot_b_time on hot_b (time_start);
create index hot_b_end on hot_b (datastream_id, time_end) where time_end is not null;
create index hot_b_result_time on hot_b (datastream_id, result_time) where result_time is not null;

create table sealed (
  datastream_id integer not null, time_start integer not null, id integer not null,
  time_end integer, result_time integer, valid_start integer, valid_end integer,
  result_type integer not null, result_number real, result_boolean integer, result_text text, result_json text,
  result_quality text, parameters text, feature_id integer not null, digest integer,
  primary key (datastream_id, time_start, id)) without rowid;
-- Where a sealed id lies: its Datastream, and a slot of 2^26 µs (67 s) of time, which takes half the bytes of a time.
create table sealed_key (
  id integer primary key, datastream_id integer not null, slot integer not null);

-- How far a hot table is drained: ids below `keyed` are in sealed_key; rows up to (datastream_id, time_start, id) are
-- in `sealed`, and what is left of them here is no longer to be seen.
create table tier (
  name text primary key, is_filling integer not null, keyed integer not null,
  datastream_id integer not null, time_start integer not null, id integer not null) without rowid;
insert into tier values ('a', 1, 0, 0, 0, 0), ('b', 0, 0, 0, 0, 0);

-- What the sealed rows of an hour, or a day, of a Datastream come to, by class of quality (0 none said, 1 said).
create table rollup_hour (
  datastream_id integer not null, start integer not null, quality integer not null,
  rows integer not null, count integer not null, sum real, min real, max real,
  first_time integer, first_id integer, first real, last_time integer, last_id integer, last real,
  time_end integer, result_time_min integer, result_time_max integer,
  primary key (datastream_id, start, quality)) without rowid;
create index rollup_hour_start on rollup_hour (start, datastream_id);
create table rollup_day (
  datastream_id integer not null, start integer not null, quality integer not null,
  rows integer not null, count integer not null, sum real, min real, max real,
  first_time integer, first_id integer, first real, last_time integer, last_id integer, last real,
  time_end integer, result_time_min integer, result_time_max integer,
  primary key (datastream_id, start, quality)) without rowid;

insert into sealed select * from observation;
insert into sealed_key select id, datastream_id, time_start >> 26 from sealed order by id;
drop table observation;

create view observation as
  select datastream_id, time_start, id, time_end, result_time, valid_start, valid_end, result_type, result_number,
    result_boolean, result_text, result_json, result_quality, parameters, feature_id, digest from sealed
  union all
  select datastream_id, time_start, id, time_end, result_time, valid_start, valid_end, result_type, result_number,
    result_boolean, result_text, result_json, result_quality, parameters, feature_id, digest from hot_a
    where (+datastream_id, time_start, id) > (select datastream_id, time_start, id from tier where name = 'a')
  union all
  select datastream_id, time_start, id, time_end, result_time, valid_start, valid_end, result_type, result_number,
    result_boolean, result_text, result_json, result_quality, parameters, feature_id, digest from hot_b
    where (+datastream_id, time_start, id) > (select datastream_id, time_start, id from tier where name = 'b');
