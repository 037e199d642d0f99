"""What is measured, one file a part; each has measure(job, results)."""
