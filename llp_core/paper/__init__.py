"""The tables: data sets x settings x methods x seeds x splits, measured side by side and resumable, and their page."""
