-- Acts that matter, written in the commit that does them, until the journal has them (store/outbox.py).
create table outbox (
  seq integer primary key autoincrement, act text not null, gathered integer not null, content text not null);
