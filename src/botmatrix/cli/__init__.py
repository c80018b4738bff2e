"""The command `botmatrix`: one file per group of commands, each thin."""
