-- Sessions of MQTT subscribers that outlive their connections. The place is a cursor of the change log: everything up to
-- it was acknowledged. `holder` is the process that has the connection; `seen` the last payload of a property or entity.
create table mqtt_session (
  token_id bigint not null, client_id text not null, holder text not null, expiry_s bigint not null,
  seen_at timestamptz not null, place_transaction bigint not null, place_seq bigint not null,
  primary key (token_id, client_id));
create table mqtt_subscription (
  token_id bigint not null, client_id text not null, topic text not null, qos smallint not null,
  since_transaction bigint not null, since_seq bigint not null, seen bytea,
  primary key (token_id, client_id, topic));
