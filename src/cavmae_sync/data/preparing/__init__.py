"""Video files in, a prepared dataset out: listed, decoded in units, finished with a report."""
