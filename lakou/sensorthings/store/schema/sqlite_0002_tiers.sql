-- Observations in two tiers (docs/decisions/0003): new rows go to one of two hot tables in the order of their ids; a
-- full one is drained into `sealed`, clustered by Datastream and time, while the other one fills.
create table hot_a (
  id integer primary key, datastream_id integer not null, time_start integer not null,
  time_end integer, result_time integer, valid_start integer, valid_end integer,
  result_type integer not null, result_number real, result_boolean integer, result_text text, result_json text,
  result_quality text, parameters text, feature_id integer not null, digest integer);
create index hot_a_stream on hot_a (datastream_id, time_start);
create index hot_a_end on hot_a (datastream_id, time_end) where time_end is not null;
create index hot_a_result_time on hot_a (datastream_id, result_time) where result_time is not null;

create table hot_b (
  id integer primary key, datastream_id integer not null, time_start integer not null,
  time_end integer, result_time integer, valid_start integer, valid_end integer,
  result_type integer not null, result_number real, result_boolean integer, result_text text, result_json text,
  result_quality text, parameters text, feature_id integer not null, digest integer);
create index hot_b_stream on hot_b (datastream_id, time_start);
create index hot_b_end on hot_b (datastream_id, time_end) where time_end is not null;
create index hot_b_result_time on hot_b (datastream_id, result_time) where result_time is not null;

create table sealed (
  datastream_id integer not null, time_start integer not null, id integer not null,
  time_end integer, result_time integer, valid_start integer, valid_end integer,
  result_type integer not null, result_number real, result_boolean integer, result_text text, result_json text,
  result_quality text, parameters text, feature_id integer not null, digest integer,
  primary key (datastream_id, time_start, id)) without rowid;
-- Where a sealed id lies: its Datastream, and a slot of 2^21 µs (2.1 s) of time, which takes half the bytes of a time.
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

-- The change log without `autoincrement`, which writes a page of its own at each commit; its last entry is never pruned,
-- so numbers go up all the same.
alter table change rename to change_before;
create table change (
  seq integer primary key, at integer not null, verb text not null, type text not null,
  first_id integer not null, last_id integer not null);
insert into change select * from change_before;
drop table change_before;

insert into sealed select * from observation;
insert into sealed_key select id, datastream_id, time_start >> 21 from sealed order by id;
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
-- The same to be asked by id. The plus keeps a condition on time from taking the place of the slot as the way in.
create view observation_by_id as
  select s.datastream_id, +s.time_start as time_start, k.id as id, s.time_end, s.result_time, s.valid_start, s.valid_end,
    s.result_type, s.result_number, s.result_boolean, s.result_text, s.result_json, s.result_quality, s.parameters,
    s.feature_id, s.digest
    from sealed_key k cross join sealed s on s.datastream_id = k.datastream_id and s.time_start >= k.slot << 21
    and s.time_start < (k.slot + 1) << 21 and s.id = k.id
  union all
  select datastream_id, time_start, id, time_end, result_time, valid_start, valid_end, result_type, result_number,
    result_boolean, result_text, result_json, result_quality, parameters, feature_id, digest from hot_a
    where (+datastream_id, time_start, id) > (select datastream_id, time_start, id from tier where name = 'a')
  union all
  select datastream_id, time_start, id, time_end, result_time, valid_start, valid_end, result_type, result_number,
    result_boolean, result_text, result_json, result_quality, parameters, feature_id, digest from hot_b
    where (+datastream_id, time_start, id) > (select datastream_id, time_start, id from tier where name = 'b');
