-- Arithmetic that never fails. A filter may be evaluated on a row before it is known whether the reader may see it: an
-- error there would tell of the row. What is beyond the range is infinite, zero or null instead.

create function safe_add(a double precision, b double precision) returns double precision
language plpgsql immutable strict parallel safe as $$
declare
  quarter double precision;
begin
  if abs(a) < 8e307 and abs(b) < 8e307 then return a + b; end if;
  quarter := case when abs(a) < 1 then 0 else a / 4 end + case when abs(b) < 1 then 0 else b / 4 end;
  return case when abs(quarter) < 4.4e307 then quarter * 4 when quarter > 0 then 'Infinity' else '-Infinity' end;
end $$;

create function safe_mul(a double precision, b double precision) returns double precision
language plpgsql immutable strict parallel safe as $$
declare
  size double precision;
begin
  if abs(a) between 1e-150 and 1e150 and abs(b) between 1e-150 and 1e150 then return a * b; end if;
  if a = 0 or b = 0 then return 0; end if;
  size := log(abs(a)) + log(abs(b));
  if size >= 308.25 then return sign(a) * sign(b) * 'Infinity'; end if;
  return case when size <= -307 then 0 else a * b end;
end $$;

create function safe_div(a double precision, b double precision) returns double precision
language plpgsql immutable strict parallel safe as $$
declare
  size double precision;
begin
  if abs(a) between 1e-150 and 1e150 and abs(b) between 1e-150 and 1e150 then return a / b; end if;
  if b = 0 then return null; end if;
  if a = 0 or abs(b) = 'Infinity' then return 0; end if;
  size := log(abs(a)) - log(abs(b));
  if size >= 308.25 then return sign(a) * sign(b) * 'Infinity'; end if;
  return case when size <= -307 then 0 else a / b end;
end $$;

create function safe_mod(a double precision, b double precision) returns double precision
language plpgsql immutable strict parallel safe as $$
declare
  whole double precision := safe_div(a, b);
begin
  return case when abs(whole) < 1e300 then safe_add(a, -safe_mul(b, trunc(whole))) end;
end $$;

-- Whole microseconds; null beyond 64 bits.
create function whole_micros(value double precision) returns bigint
language sql immutable strict parallel safe as $$
  select case when abs(value) < 9.2e18 then trunc(value)::bigint end
$$;

create function micros_add(a bigint, b bigint) returns bigint
language sql immutable strict parallel safe as $$
  select case when abs(a::numeric + b::numeric) < 9.2e18 then a + b end
$$;

create function instant_add(instant timestamptz, micros bigint) returns timestamptz
language plpgsql immutable strict parallel safe as $$
declare
  wanted numeric;
begin
  if not isfinite(instant) then return null; end if;
  wanted := extract(epoch from instant) * 1000000 + micros;
  if abs(micros::numeric) > 9.2e18 or wanted < -210866000000000000 or wanted > 9224000000000000000 then return null; end if;
  return instant + micros * interval '1 microsecond';
end $$;

create function instant_diff(a timestamptz, b timestamptz) returns bigint
language plpgsql immutable strict parallel safe as $$
declare
  wanted numeric;
begin
  if not isfinite(a) or not isfinite(b) then return null; end if;
  wanted := (extract(epoch from a) - extract(epoch from b)) * 1000000;
  return case when abs(wanted) < 9.2e18 then wanted::bigint end;
end $$;

-- A part of a text, from a place that counts from 0.
create function text_part(value text, start double precision, size double precision default 1000000000) returns text
language sql immutable strict parallel safe as $$
  select substr(value, greatest(least(trunc(start)::numeric, 1000000000), 0)::int + 1,
    greatest(least(trunc(size)::numeric, 1000000000), 0)::int)
$$;
