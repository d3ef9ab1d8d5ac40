"""The ground every room stands on: errors, files, noise, devices, progress, cost."""
