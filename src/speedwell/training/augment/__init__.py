"""What is done to training samples only: pictures, and pictures with objects."""
