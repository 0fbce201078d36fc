-- The buckets that have a row which ends after them, of which there are few: a set that ends somewhere must look into
-- these. The lengths are written as the queries write them.
create index rollup_hour_overlong on rollup_hour (datastream_id, start)
  where time_end - start > interval '3600000000 microseconds';
create index rollup_day_overlong on rollup_day (datastream_id, start)
  where time_end - start > interval '86400000000 microseconds';
