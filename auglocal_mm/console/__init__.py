"""The command line: commands, errors in one line, ranks, the doctor."""
