"""URL text → syntax tree. `lexer` → `expression` → `options`, `path`; values of `tree`. No I/O, no model."""
