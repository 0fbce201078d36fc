-- Sensing entities and Observations on SQLite. Times are microseconds since 1970 UTC; JSON is kept as given.
-- scope_id: 0 public, -1 deleted, others restricted. owner_id: the token that created the row (0 none).
create table meta (key text primary key, value text not null) without rowid;
insert into meta values ('epoch', '0');

create table thing (
  id integer primary key autoincrement, scope_id integer not null, owner_id integer not null,
  name text not null, description text not null, properties text);

create table location (
  id integer primary key autoincrement, scope_id integer not null, owner_id integer not null,
  name text not null, description text not null, encoding_type text not null,
  location text not null, geometry blob,
  min_x real, min_y real, max_x real, max_y real, properties text);
create virtual table location_box using rtree(id, min_x, max_x, min_y, max_y);

create table thing_location (
  thing_id integer not null, location_id integer not null, primary key (thing_id, location_id)) without rowid;
create index thing_location_location on thing_location (location_id, thing_id);

create table historical_location (
  id integer primary key autoincrement, scope_id integer not null, owner_id integer not null,
  time integer not null, thing_id integer not null);
create index historical_location_thing on historical_location (thing_id, time);
create table historical_location_location (
  historical_location_id integer not null, location_id integer not null,
  primary key (historical_location_id, location_id)) without rowid;
create index historical_location_location_location on historical_location_location (location_id, historical_location_id);

create table sensor (
  id integer primary key autoincrement, scope_id integer not null, owner_id integer not null,
  name text not null, description text not null, encoding_type text not null, metadata text not null, properties text);

create table observed_property (
  id integer primary key autoincrement, scope_id integer not null, owner_id integer not null,
  name text not null, definition text not null, description text not null, properties text);

create table datastream (
  id integer primary key autoincrement, scope_id integer not null, owner_id integer not null, multi integer not null,
  name text not null, description text not null, observation_type text not null,
  unit_of_measurement text, unit_of_measurements text, multi_observation_data_types text, properties text,
  thing_id integer not null, sensor_id integer not null, observed_property_id integer, on_different text);
create index datastream_thing on datastream (thing_id);
create index datastream_sensor on datastream (sensor_id);
create index datastream_observed_property_id on datastream (observed_property_id);
create table datastream_observed_property (
  datastream_id integer not null, position integer not null, observed_property_id integer not null,
  primary key (datastream_id, position)) without rowid;
create index datastream_observed_property_far on datastream_observed_property (observed_property_id, datastream_id);

create table feature (
  id integer primary key autoincrement, scope_id integer not null, owner_id integer not null,
  name text not null, description text not null, encoding_type text not null,
  feature text not null, geometry blob,
  min_x real, min_y real, max_x real, max_y real, properties text,
  location_id integer, location_digest integer);
create virtual table feature_box using rtree(id, min_x, max_x, min_y, max_y);
create index feature_generated on feature (location_id, scope_id, location_digest) where location_id is not null;

-- Clustered by Datastream and time: the window and the latest are one range of pages.
create table observation (
  datastream_id integer not null, time_start integer not null, id integer not null,
  time_end integer, result_time integer, valid_start integer, valid_end integer,
  result_type integer not null, result_number real, result_boolean integer, result_text text, result_json text,
  result_quality text, parameters text, feature_id integer not null, digest integer,
  primary key (datastream_id, time_start, id)) without rowid;
create unique index observation_id on observation (id);
create index observation_time on observation (time_start, id);
create index observation_end on observation (datastream_id, time_end) where time_end is not null;
create index observation_result_time on observation (datastream_id, result_time) where result_time is not null;
create table feature_datastream (
  feature_id integer not null, datastream_id integer not null, primary key (feature_id, datastream_id)) without rowid;
create index feature_datastream_near on feature_datastream (datastream_id, feature_id);
-- The identity of Observations whose time was corrected: a replay of the first message still finds them.
create table moved_identity (
  datastream_id integer not null, time_start integer not null, digest integer not null, observation_id integer not null,
  primary key (datastream_id, time_start, digest)) without rowid;
create index moved_identity_observation on moved_identity (observation_id);
create table observation_history (
  observation_id integer not null, replaced_at integer not null, body text not null,
  primary key (observation_id, replaced_at)) without rowid;

-- What is deleted but not yet purged; the work of `purge`.
create table purge (kind text not null, id integer not null, primary key (kind, id)) without rowid;

create table idempotency (
  owner_id integer not null, key text not null, digest blob not null, answer text not null, at integer not null,
  primary key (owner_id, key)) without rowid;
create index idempotency_at on idempotency (at);

create table change (
  seq integer primary key autoincrement, at integer not null, verb text not null, type text not null,
  first_id integer not null, last_id integer not null);
create table change_reader (name text primary key, seq integer not null, seen_at integer not null) without rowid;
