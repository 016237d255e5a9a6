"""What only the lessons need: checks of exercises, views and pictures, and the questions for a machine with a GPU."""
