"""The whole way from a batch of records to alerts to publish: settings, the fold of a run, the embedded run."""
