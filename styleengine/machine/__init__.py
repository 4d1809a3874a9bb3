"""This computer: devices, memory, files and folders."""
