"""What a run leaves behind: alerts.jsonl, aggregates.parquet, summary.json, report.html."""
