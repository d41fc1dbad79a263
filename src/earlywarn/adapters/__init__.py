"""Where the pure core meets files; brokers and stores join here."""
