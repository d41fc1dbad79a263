"""What a run leaves behind: alerts.jsonl, three Parquet files, rejects.jsonl, summary.json, report.html."""
