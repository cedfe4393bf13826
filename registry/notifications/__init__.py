"""Who is told of alerts: grouped by Receiver, sent, tried again, and kept over restarts until it has arrived."""
