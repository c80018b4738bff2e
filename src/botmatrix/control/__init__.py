"""The control plane: the REST interface and the status page. Reads and writes the engines only."""
