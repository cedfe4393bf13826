"""What is allowed: documents, what they say of each other, and what a write of them changes."""
