"""Which auth mode and account a request goes by, and why not the others: pure decisions."""
