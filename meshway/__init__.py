"""The vocabulary that both planes speak, the SDK and the command line."""
