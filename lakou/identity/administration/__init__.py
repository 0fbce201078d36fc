"""Pages for those who look after tokens and read the journal, below `/administration/`. They work without scripts."""
