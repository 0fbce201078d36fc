"""The commands of `lakou`, one file a group. A command reads its options, calls the parts, and prints."""
