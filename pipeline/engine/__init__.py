"""Who does the work: this process, or worker processes of its own."""
