"""OpenTelemetry's protocol, as far as the mesh speaks it: values, and logs; pure."""
