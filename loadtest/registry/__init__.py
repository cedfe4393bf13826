"""The registry beside etcd and ZooKeeper: `python -m loadtest.registry`."""
