"""Small hand-written examples in the form of each source, for the demonstration and the tests. Not measurements."""
