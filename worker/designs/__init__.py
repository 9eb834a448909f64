"""Designs: from claimed jobs and a release to encoded images."""
