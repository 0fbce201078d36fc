-- Sessions of MQTT subscribers that outlive their connections. The place is a cursor of the change log: everything up to
-- it was acknowledged. `holder` is the process that has the connection; `seen` the last payload of a property or entity.
create table mqtt_session (
  token_id integer not null, client_id text not null, holder text not null, expiry_s integer not null,
  seen_at integer not null, place_transaction integer not null, place_seq integer not null,
  primary key (token_id, client_id)) without rowid;
create table mqtt_subscription (
  token_id integer not null, client_id text not null, topic text not null, qos integer not null,
  since_transaction integer not null, since_seq integer not null, seen blob,
  primary key (token_id, client_id, topic)) without rowid;
