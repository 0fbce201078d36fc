-- Acts that matter, written in the commit that does them, until the journal has them (store/outbox.py).
create table outbox (
  seq bigint generated always as identity primary key, act text not null, gathered smallint not null, content text not null);
