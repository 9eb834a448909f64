"""What can be done with a release besides designing: invert pictures, find directions, export."""
