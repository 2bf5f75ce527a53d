"""What is kept in Redis: the mailbox and the shared state; the only place that imports its client."""
