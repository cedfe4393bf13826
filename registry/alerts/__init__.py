"""What people should know: rules judged over the numbers, the states of what they find, silences."""
