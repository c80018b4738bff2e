"""Steps from one schema to the next, in `versions`; `botmatrix.store.migrate` takes them."""
