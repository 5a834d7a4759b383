"""Runs the shards of ``rs-seg infer`` as tasks of dask.distributed, and merges them."""

__version__ = "0.1.0"
