"""The latency benchmark: every contestant, every regime, quality beside speed, and the limit of the machine."""
