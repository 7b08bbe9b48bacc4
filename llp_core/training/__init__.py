"""One training loop for teacher and student."""
