-- Stores made before 26 November 2026, 17:16 UTC say of a sealed id where it lies by slots of 2^26 µs, in their keys and
-- in their view: their rows were no longer found by id. All others have nothing to do here.
create temporary table wide_slots as
  select 1 from sqlite_master where name = 'observation_by_id' and sql like '%<< 26%';
insert or replace into sealed_key
  select id, datastream_id, time_start >> 21 from sealed where exists (select 1 from wide_slots) order by id;
-- Ids of the hot table that is drained have their keys before their rows are sealed.
insert or replace into sealed_key
  select h.id, h.datastream_id, h.time_start >> 21 from hot_a h join sealed_key k on k.id = h.id
  where exists (select 1 from wide_slots);
insert or replace into sealed_key
  select h.id, h.datastream_id, h.time_start >> 21 from hot_b h join sealed_key k on k.id = h.id
  where exists (select 1 from wide_slots);
drop table wide_slots;
drop index if exists hot_a_time;
drop index if exists hot_b_time;

-- The view as sqlite_0002 makes it today, where the stores above have theirs of then.
drop view observation_by_id;
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
