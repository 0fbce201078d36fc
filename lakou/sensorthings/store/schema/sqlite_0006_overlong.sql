-- The buckets that have a row which ends after them, of which there are few: a set that ends somewhere must look into
-- these, and to find them among all took most of a day by hour of 5,000 Datastreams.
create index rollup_hour_overlong on rollup_hour (datastream_id, start) where time_end > start + 3600000000;
create index rollup_day_overlong on rollup_day (datastream_id, start) where time_end > start + 86400000000;
