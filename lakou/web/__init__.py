"""The pages: server-rendered, in French, useful without JavaScript; scripts only add (STYLE §6).

`queries` reads SensorThings in process → `freshness`, `french`, `territory_map`, `day_line` make plain values of
it → `views` hands them to templates. Django app label: `web`.
"""
