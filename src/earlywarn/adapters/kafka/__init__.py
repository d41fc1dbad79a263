"""Kafka: the topics of a run, the batch transport of the Faust agents, what is written and how it is read back."""
