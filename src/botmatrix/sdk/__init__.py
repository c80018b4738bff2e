"""What plugin authors import; `from botmatrix import Plugin, Context, Message, ...` gives the same names."""
