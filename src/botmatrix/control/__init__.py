"""The control plane: the REST interface and the web console. Reads and writes the engines only."""
